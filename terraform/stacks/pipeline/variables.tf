variable "region" {
  description = "Region of the pipeline."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the code of a region, such as eu-west-1."
  }
}

variable "name" {
  description = "Name of the installation, and the beginning of the name of all that is in it."
  type        = string
  default     = "runbook-engine"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "environment_name" {
  description = "Which environment this is, as a tag: production, staging..."
  type        = string
  default     = "production"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.environment_name))
    error_message = "environment_name must be a lower-case word such as production."
  }
}

variable "tags" {
  description = "Further tags of everything."
  type        = map(string)
  default     = {}
}

variable "package" {
  description = "Path of the zip with the code (make lambda)."
  type        = string
  default     = "../../../build/lambda/runbook-engine-arm64.zip"
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

variable "runtime" {
  description = "Runtime of the function."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.12, python3.13 or python3.14 (3.11 runs on Amazon Linux 2, which ends)."
  }
}

variable "kms_key_arn" {
  description = "Key for all that is at rest; null: one is made, for a dollar a month. A key of yours must admit what kms.tf admits."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID (an alias may move to another key)."
  }
}

variable "environment" {
  description = "Further environment of the functions, named by engine.yaml through {env: NAME}. Never a secret: those are SSM parameters."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !startswith(name, "AWS_")])
    error_message = "environment must have names such as RUNBOOK_TOPIC_PAYMENTS (AWS_ is reserved)."
  }
}

variable "token_parameters" {
  description = "Paths of the SSM parameters with credentials: of the scopes (bearer tokens, HMAC keys, passwords), and of people who answer."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for path in var.token_parameters : can(regex("^/[A-Za-z0-9/._-]+$", path))])
    error_message = "token_parameters must be whole paths such as /runbook-engine/scopes/payments (no wildcards)."
  }
}

variable "pause_parameter" {
  description = "Path of the SSM parameter that is the kill switch, as engine.yaml names it."
  type        = string
  default     = "/runbook-engine/pause"

  validation {
    condition     = can(regex("^/[A-Za-z0-9/._-]+$", var.pause_parameter))
    error_message = "pause_parameter must be a path such as /runbook-engine/pause."
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
  default     = "/runbook-engine/link-key"

  validation {
    condition     = can(regex("^/[A-Za-z0-9/._-]+$", var.link_key_parameter))
    error_message = "link_key_parameter must be a path such as /runbook-engine/link-key."
  }
}

variable "action_policy_file" {
  description = "File with what the runbooks may do: `runbook permissions --format iam > FILE`. Null: nothing, the engine only observes."
  type        = string
  default     = null

  validation {
    condition     = var.action_policy_file == null || try(fileexists(var.action_policy_file), false)
    error_message = "There is no such action_policy_file: make it with `runbook permissions --format iam`."
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

variable "concurrency" {
  description = "Most calls at a time of each function, kept free for it in the account; -1: whatever the account has left (needed where its limit is 10)."
  type = object({
    ingest  = optional(number, 20)
    drive   = optional(number, 10)
    approve = optional(number, 5)
    sweep   = optional(number, 1)
  })
  default = {}

  validation {
    condition     = alltrue([for calls in values(var.concurrency) : calls == -1 || (calls >= 1 && calls <= 1000 && floor(calls) == calls)])
    error_message = "concurrency must be a whole number from 1 to 1000 for each function, or -1 (0 would switch it off)."
  }
}

variable "rate_limit" {
  description = "Requests a second that the webhooks take in the long run; senders repeat what is refused."
  type        = number
  default     = 50

  validation {
    condition     = var.rate_limit >= 1 && var.rate_limit <= 10000
    error_message = "rate_limit must be 1 to 10000."
  }
}

variable "burst_limit" {
  description = "Requests that the webhooks take at once."
  type        = number
  default     = 100

  validation {
    condition     = var.burst_limit >= var.rate_limit && var.burst_limit <= 5000
    error_message = "burst_limit must be rate_limit to 5000."
  }
}

variable "cloudwatch_alarms" {
  description = "Whether every CloudWatch alarm of the account and region is taken in. The engine's own alarms never are: they go to people."
  type        = bool
  default     = true
}

variable "deployment_sources" {
  description = "Where deployments are heard of, to say what changed before an incident."
  type        = set(string)
  default     = ["aws.codedeploy", "aws.codepipeline", "aws.ecs", "runbook-engine.deploys"]

  validation {
    condition     = length(setsubtract(var.deployment_sources, ["aws.codedeploy", "aws.codepipeline", "aws.ecs", "runbook-engine.deploys"])) == 0
    error_message = "deployment_sources may be aws.codedeploy, aws.codepipeline, aws.ecs and runbook-engine.deploys."
  }
}

variable "sns_topics" {
  description = "SNS topics whose messages are alerts, by a name of your choice."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for topic in values(var.sns_topics) : can(regex("^arn:[a-z-]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", topic))])
    error_message = "sns_topics must be ARNs of standard topics."
  }
}

variable "sqs_queues" {
  description = "SQS queues whose messages are alerts, by a name of your choice. Each needs a redrive policy of its own, and a visibility timeout of six times the function's."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for queue in values(var.sqs_queues) : can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_.-]+$", queue))])
    error_message = "sqs_queues must be ARNs of queues."
  }
}

variable "oncall_severities" {
  description = "Severities of unhandled alerts that the on-call hears of at once. unknown is one: an alarm of CloudWatch without the tag severity may be the worst of all."
  type        = set(string)
  default     = ["critical", "high", "unknown"]

  validation {
    condition     = length(var.oncall_severities) > 0 && length(setsubtract(var.oncall_severities, ["critical", "high", "warning", "low", "info", "unknown"])) == 0
    error_message = "oncall_severities must be one or more of critical, high, warning, low, info and unknown."
  }
}

variable "oncall_subscriptions" {
  description = "Who hears of incidents, by a name of your choice. Each of the e-mail addresses must confirm once. filter_policy is JSON; its scope is MessageBody unless said otherwise, since what EventBridge and CloudWatch publish has no attributes."
  type = map(object({
    protocol            = string
    endpoint            = string
    filter_policy       = optional(string)
    filter_policy_scope = optional(string, "MessageBody")
  }))
  default = {}

  validation {
    condition = alltrue([
      for subscription in values(var.oncall_subscriptions) : contains(["email", "email-json", "https"], subscription.protocol)
    ])
    error_message = "the protocol of a subscription must be email, email-json or https (http would be read by others)."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.oncall_subscriptions) : can(regex(
        subscription.protocol == "https" ? "^https://[^/@]+(/.*)?$" : "^[^@ ]+@[^@ ]+$", subscription.endpoint
      ))
    ])
    error_message = "the endpoint of a subscription must be an https address without credentials in it, or an e-mail address."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.oncall_subscriptions) :
      subscription.filter_policy == null || can(jsondecode(subscription.filter_policy))
    ])
    error_message = "the filter_policy of a subscription must be JSON."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.oncall_subscriptions) :
      contains(["MessageAttributes", "MessageBody"], subscription.filter_policy_scope)
    ])
    error_message = "the filter_policy_scope of a subscription must be MessageBody or MessageAttributes."
  }
}

variable "archive_days" {
  description = "Days that events are kept for a replay. A replay is read, never acted upon."
  type        = number
  default     = 30

  validation {
    condition     = var.archive_days >= 1 && var.archive_days <= 3653
    error_message = "archive_days must be 1 to 3653 (0 would mean for ever)."
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

variable "audit_retention_days" {
  description = "Days that the audit log is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.audit_retention_days)
    error_message = "audit_retention_days must be a period that CloudWatch Logs knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "deletion_protection" {
  description = "Whether the table must be unprotected before it can be deleted. Off only for a throw-away installation."
  type        = bool
  default     = true
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
