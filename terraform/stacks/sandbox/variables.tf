variable "region" {
  description = "Region of the sandbox."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-central-1."
  }
}

variable "account_id" {
  description = "The only account in which this may be applied; empty: the one of the credentials."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([0-9]{12})?$", var.account_id))
    error_message = "account_id must have twelve digits, or be empty."
  }
}

variable "name" {
  description = "Name of the function, and the beginning of the name of all that belongs to it."
  type        = string
  default     = "runbook-sandbox"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "queue" {
  description = "Name of the queue; its dead-letter queue is NAME-dlq."
  type        = string
  default     = "orders"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,70}$", var.queue))
    error_message = "queue must be 1 to 70 letters, digits, hyphens and underscores."
  }
}

variable "tags" {
  description = "Tags of everything, beside Project, Stack and ManagedBy."
  type        = map(string)
  default     = {}
}

variable "fail_mode" {
  description = "FAIL_MODE of the function: true and every call raises. The workflow inject-failure sets it."
  type        = bool
  default     = false
}

variable "revision" {
  description = "Commit that is deployed; it stands in the function's description and in its answer."
  type        = string
  default     = "unknown"

  validation {
    condition     = can(regex("^([0-9a-f]{7,40}|unknown)$", var.revision))
    error_message = "revision must be a commit's hash, or unknown."
  }
}

variable "runtime" {
  description = "Runtime of the function."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.11 to python3.14."
  }
}

variable "architecture" {
  description = "Of the function: arm64 (cheaper) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "throttle" {
  description = "Requests that the API lets through: a second, and at once."
  type = object({
    rate  = number
    burst = number
  })
  default = { rate = 10, burst = 20 }

  validation {
    condition     = 0 < var.throttle.rate && var.throttle.rate <= var.throttle.burst && var.throttle.burst <= 1000
    error_message = "throttle must hold 0 < rate <= burst <= 1000."
  }
}

variable "permissions_boundary_arn" {
  description = "Boundary of the function's role (output workload_boundary_arn of stacks/bootstrap); null: none. Workflows cannot make a role without it."
  type        = string
  default     = null
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms go to. None are needed: every change of an alarm is an event of EventBridge, where the engine listens."
  type        = set(string)
  default     = []
}
