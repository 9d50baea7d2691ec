variable "name" {
  description = "Name of the queue."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,72}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 74 lower-case letters, digits and hyphens, beginning with a letter."
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

variable "senders" {
  description = "Who may put failures here: by service, such as events.amazonaws.com, the ARNs of the rules, topics or schedules it sends for. Empty: only roles that IAM allows."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for service in keys(var.senders) : can(regex("^[a-z]+\\.amazonaws\\.com$", service))])
    error_message = "senders must be keyed by service, such as events.amazonaws.com or sns.amazonaws.com."
  }

  validation {
    condition     = alltrue([for sources in values(var.senders) : length(sources) > 0])
    error_message = "every service of senders needs at least one ARN: without one anybody's rule could fill the queue."
  }
}
