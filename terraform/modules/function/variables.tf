variable "name" {
  description = "Name of the function; its role and log group are named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,60}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 62 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "description" {
  description = "What the function is for, in a sentence."
  type        = string
}

variable "handler" {
  description = "The Python function that is called, as package.module.name."
  type        = string

  validation {
    condition     = can(regex("^[a-z_]+(\\.[a-z_]+)+$", var.handler))
    error_message = "handler must be a Python path such as runbook_engine.entrypoints.aws_lambda.ingest."
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

variable "memory_mb" {
  description = "Memory in MB; the share of a processor grows with it."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb must be 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which a call is ended."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds must be 1 to 900."
  }
}

variable "environment" {
  description = "Environment of the function. Never a secret: name the path of an SSM parameter instead."
  type        = map(string)
  default     = {}
}

variable "policy_json" {
  description = "What the function may do beyond writing its own log, as an IAM policy document."
  type        = string
}

variable "secret_parameters" {
  description = "Paths of the SSM parameters that the function may read."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for path in var.secret_parameters : can(regex("^/[A-Za-z0-9/._-]+$", path))])
    error_message = "secret_parameters must be whole paths such as /runbook-engine/scopes/payments (no wildcards)."
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

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "reserved_concurrency" {
  description = "Most calls at a time, and that many kept free for it; -1: whatever the account has left."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency == -1 || (var.reserved_concurrency >= 1 && var.reserved_concurrency <= 1000 && floor(var.reserved_concurrency) == var.reserved_concurrency)
    error_message = "reserved_concurrency must be a whole number from 1 to 1000, or -1 (0 would switch the function off)."
  }
}

variable "failure_queue_arn" {
  description = "Queue for asynchronous calls that failed for good. Null: nobody calls the function asynchronously."
  type        = string
  default     = null
}

variable "failure_queue_used" {
  description = "Whether failure_queue_arn is set, for a plan in which its value is not known yet."
  type        = bool
  default     = false
}

variable "maximum_event_age_seconds" {
  description = "How old an asynchronous call may get before it is given up."
  type        = number
  default     = 900

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 900
    error_message = "maximum_event_age_seconds must be 60 to 900: what is older describes a world that has moved on."
  }
}

variable "network" {
  description = "Subnets and security group of the function; null: outside any VPC, which is cheaper and starts faster."
  type = object({
    subnet_ids        = list(string)
    security_group_id = string
  })
  default = null

  validation {
    condition     = var.network == null || try(length(distinct(var.network.subnet_ids)) == max(2, length(var.network.subnet_ids)), false)
    error_message = "network needs different subnets in two zones, or one zone's failure stops the function."
  }
}
