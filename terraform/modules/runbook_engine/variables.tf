variable "name" {
  description = "Name of the installation, and the beginning of the name of all that is in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts all of this at rest. Its policy must admit the services that write here (see terraform/README.md)."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID (an alias may move to another key)."
  }
}

variable "package" {
  description = "Path of the zip with the code (make lambda)."
  type        = string
}

variable "runtime" {
  description = "Runtime of the function."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.12, python3.13 or python3.14 (3.11 runs on Amazon Linux 2, which ends)."
  }
}

variable "architecture" {
  description = "Processor that the zip was built for: arm64 (a fifth cheaper) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64, as the zip was built."
  }
}

variable "environment" {
  description = "Environment of every function here: RUNBOOK_TABLE, RUNBOOK_BUS, RUNBOOK_BUNDLE and what engine.yaml names. Never a secret."
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["RUNBOOK_TABLE", "RUNBOOK_BUS", "RUNBOOK_BUNDLE"] : contains(keys(var.environment), name)])
    error_message = "environment needs RUNBOOK_TABLE, RUNBOOK_BUS and RUNBOOK_BUNDLE."
  }
}

variable "policies" {
  description = "Policy documents that every function here needs: of the journal, of the bus, of a bundle in S3."
  type        = list(string)
}

variable "drive_policies" {
  description = "Policy documents that only the driving function needs: what tells the on-call."
  type        = list(string)
  default     = []
}

variable "pause_parameter" {
  description = "Path of the SSM parameter that is the kill switch, as engine.yaml names it."
  type        = string
  default     = "/runbook-engine/pause"

  validation {
    condition     = can(regex("^/[A-Za-z0-9/._-]+$", var.pause_parameter))
    error_message = "pause_parameter must be a path such as /runbook-engine/pause."
  }

  validation {
    condition     = var.pause_parameter != var.link_key_parameter
    error_message = "pause_parameter and link_key_parameter must differ: whoever pauses the engine must not replace the key that signs approvals."
  }
}

variable "secret_parameters" {
  description = "Paths of the SSM parameters that engine.yaml names for driving: what its receivers and readers sign in with."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for path in var.secret_parameters : can(regex("^/[A-Za-z0-9/._-]+$", path))])
    error_message = "secret_parameters must be whole paths such as /runbook-engine/scopes/payments (no wildcards)."
  }
}

variable "link_key_parameter" {
  description = "Path of the SecureString that signs approval links (RUNBOOK_LINK_KEY)."
  type        = string

  validation {
    condition     = can(regex("^/[A-Za-z0-9/._-]+$", var.link_key_parameter))
    error_message = "link_key_parameter must be a path such as /runbook-engine/link-key."
  }
}

variable "approvals_url" {
  description = "Base of the approval pages (RUNBOOK_APPROVE_URL)."
  type        = string

  validation {
    condition     = can(regex("^https://[^/?#]+(/[^?#]*)?$", var.approvals_url))
    error_message = "approvals_url must be an https address without a query."
  }
}

variable "action_policy_json" {
  description = "What the runbooks may do: the output of `runbook permissions --format iam`. Null: nothing, the engine only looks at its own journal."
  type        = string
  default     = null

  validation {
    condition     = var.action_policy_json == null || can(jsondecode(var.action_policy_json).Statement)
    error_message = "action_policy_json must be a policy document with statements, as `runbook permissions --format iam` prints it."
  }

  validation {
    condition = var.action_policy_json == null || try(alltrue([
      for statement in jsondecode(var.action_policy_json).Statement :
      !contains(flatten([try(statement.Action, [])]), "*") && !contains(flatten([try(statement.Action, [])]), "iam:*")
    ]), false)
    error_message = "action_policy_json must name its actions: a statement that allows every action is refused."
  }
}

variable "network" {
  description = "VPC of the function that talks to a private cluster; null: outside any. The addresses and prefix lists are what it may reach on port 443."
  type = object({
    vpc_id          = string
    subnet_ids      = list(string)
    egress_cidrs    = list(string)
    prefix_list_ids = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.network == null || try(length(distinct(var.network.subnet_ids)) == max(2, length(var.network.subnet_ids)), false)
    error_message = "network needs different subnets in two zones, or one zone's failure stops remediation."
  }

  validation {
    condition     = var.network == null || try(alltrue([for cidr in var.network.egress_cidrs : can(cidrnetmask(cidr))]), false)
    error_message = "egress_cidrs of network must be IPv4 networks such as 10.42.0.0/16."
  }

  validation {
    condition     = var.network == null || try(length(var.network.egress_cidrs) + length(var.network.prefix_list_ids) > 0, false)
    error_message = "network must allow something: the addresses of the cluster, and the prefix list of DynamoDB."
  }
}

variable "drive_concurrency" {
  description = "Most steps performed at a time, across all executions: a brake. -1: whatever the account has left."
  type        = number
  default     = 10

  validation {
    condition     = var.drive_concurrency == -1 || (var.drive_concurrency >= 1 && var.drive_concurrency <= 1000 && floor(var.drive_concurrency) == var.drive_concurrency)
    error_message = "drive_concurrency must be a whole number from 1 to 1000, or -1 (0 would switch the function off)."
  }
}

variable "sweep_concurrency" {
  description = "Most sweeps at a time: one is enough, and two would only look at the same things. -1: whatever the account has left."
  type        = number
  default     = 1

  validation {
    condition     = var.sweep_concurrency == -1 || (var.sweep_concurrency >= 1 && var.sweep_concurrency <= 1000 && floor(var.sweep_concurrency) == var.sweep_concurrency)
    error_message = "sweep_concurrency must be a whole number from 1 to 1000, or -1 (0 would switch the function off)."
  }
}

variable "maximum_event_age_seconds" {
  description = "How old a call of the sweep may get before it is given up."
  type        = number
  default     = 300

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 900
    error_message = "maximum_event_age_seconds must be 60 to 900."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "create_bundle_bucket" {
  description = "Whether to make a bucket for bundles, so that runbooks change without a new zip."
  type        = bool
  default     = false
}

variable "bundle" {
  description = "The bundle in the bucket that the functions load, by key and digest; null: the one in the zip."
  type = object({
    key    = string
    digest = string
  })
  default = null

  validation {
    condition     = var.bundle == null || try(can(regex("^[0-9a-f]{64}$", var.bundle.digest)), false)
    error_message = "the digest of bundle must be the SHA-256 of the file, 64 hexadecimal digits."
  }

  validation {
    condition     = var.bundle == null || var.create_bundle_bucket
    error_message = "bundle needs create_bundle_bucket: there is no bucket to load it from."
  }
}
