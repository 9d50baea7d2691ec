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

variable "bus_kms_key_arn" {
  description = "Key for the events on the bus itself; null: the key that EventBridge owns, which costs nothing."
  type        = string
  default     = null

  validation {
    condition     = var.bus_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.bus_kms_key_arn))
    error_message = "bus_kms_key_arn must be the ARN of a key, or null."
  }
}

variable "state_machine_arn" {
  description = "The driver: what an Execution Due event starts."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:states:.+$", var.state_machine_arn))
    error_message = "state_machine_arn must be an ARN that begins with arn:aws:states:."
  }
}

variable "oncall_topic_arn" {
  description = "Topic that hears of alerts which no runbook handles."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:.+$", var.oncall_topic_arn))
    error_message = "oncall_topic_arn must be an ARN that begins with arn:aws:sns:."
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

variable "maximum_event_age_seconds" {
  description = "How old an event may get before a target that acts gives it up: a remediation that is late is a second incident."
  type        = number
  default     = 300

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 900
    error_message = "maximum_event_age_seconds must be 60 to 900."
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
  description = "Days that the audit log is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows, such as 7, 14, 30, 90 or 365."
  }
}
