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

variable "subscriptions" {
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
      for subscription in values(var.subscriptions) : contains(["email", "email-json", "https"], subscription.protocol)
    ])
    error_message = "the protocol of a subscription must be email, email-json or https (http would be read by others)."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.subscriptions) : can(regex(
        subscription.protocol == "https" ? "^https://[^/@]+(/.*)?$" : "^[^@ ]+@[^@ ]+$", subscription.endpoint
      ))
    ])
    error_message = "the endpoint of a subscription must be an https address without credentials in it, or an e-mail address."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.subscriptions) :
      subscription.filter_policy == null || can(jsondecode(subscription.filter_policy))
    ])
    error_message = "the filter_policy of a subscription must be JSON."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.subscriptions) :
      contains(["MessageAttributes", "MessageBody"], subscription.filter_policy_scope)
    ])
    error_message = "the filter_policy_scope of a subscription must be MessageBody or MessageAttributes."
  }
}

variable "publisher_rule_arns" {
  description = "Rules of EventBridge that may publish to the topic."
  type        = list(string)

  validation {
    condition     = length(var.publisher_rule_arns) > 0
    error_message = "publisher_rule_arns must name the rules that publish: without one the on-call hears of no alert."
  }
}
