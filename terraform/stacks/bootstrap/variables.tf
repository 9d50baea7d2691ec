variable "region" {
  description = "Region of the state bucket."
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
  description = "Name of the installation."
  type        = string
  default     = "runbook-engine"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and hyphens, beginning with a letter: it is part of a bucket's name."
  }
}

variable "tags" {
  description = "Tags of everything, beside Project, Stack and ManagedBy."
  type        = map(string)
  default     = {}
}

variable "github_repository" {
  description = "Repository whose workflows may deploy the sandbox, as owner/name; empty: none, and no role is made."
  type        = string
  default     = ""

  validation {
    condition     = var.github_repository == "" || can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards: a wildcard would let strangers deploy."
  }
}

variable "github_branch" {
  description = "Branch whose workflows may plan."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.github_branch))
    error_message = "github_branch must be the name of one branch, without wildcards."
  }
}

variable "github_environment" {
  description = "Environment whose workflows may apply; its protection rules say who confirms."
  type        = string
  default     = "sandbox"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.github_environment))
    error_message = "github_environment must be the name of one environment, without wildcards."
  }
}

variable "github_oidc_provider_arn" {
  description = "The account's OIDC provider for GitHub, if it has one: an account can have one only. Null: it is made here."
  type        = string
  default     = null

  validation {
    condition     = var.github_oidc_provider_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github_oidc_provider_arn))
    error_message = "github_oidc_provider_arn must be the ARN of the provider for token.actions.githubusercontent.com."
  }
}

variable "sandbox_name" {
  description = "Name of the sandbox; the rights of the workflows end at what begins with it."
  type        = string
  default     = "runbook-sandbox"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.sandbox_name))
    error_message = "sandbox_name must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "sandbox_queue" {
  description = "Name of the sandbox's queue; its dead-letter queue is NAME-dlq."
  type        = string
  default     = "orders"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,70}$", var.sandbox_queue))
    error_message = "sandbox_queue must be 1 to 70 letters, digits, hyphens and underscores."
  }
}

variable "event_bus_name" {
  description = "Bus on which deployments are told: the default one, on which the engine hears all that AWS tells."
  type        = string
  default     = "default"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,256}$", var.event_bus_name))
    error_message = "event_bus_name must be the name of a bus, not its ARN."
  }
}
