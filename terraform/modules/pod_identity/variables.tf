variable "cluster_name" {
  description = "EKS cluster that runs the Pod Identity agent."
  type        = string
}

variable "cluster_arn" {
  description = "Its ARN: only this cluster may hand the role to pods."
  type        = string
}

variable "namespace" {
  description = "Namespace of the ServiceAccount."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be a DNS label: lower-case letters, digits and hyphens."
  }
}

variable "service_account" {
  description = "ServiceAccount whose pods get the role."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.service_account))
    error_message = "service_account must be a DNS name: lower-case letters, digits, hyphens and dots."
  }
}

variable "role_name" {
  description = "Name of the role that is made."
  type        = string

  validation {
    condition     = length(var.role_name) <= 64
    error_message = "role_name must have 64 characters at most."
  }
}

variable "policies" {
  description = "What pods may do: name -> IAM policy in JSON; none: nothing. The names must be known when planning, the policies need not."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for policy in values(var.policies) : can(jsondecode(policy).Statement)])
    error_message = "policies must be IAM policies in JSON, as `runbook permissions --format iam` prints them."
  }
}

variable "managed_policies" {
  description = "ARNs of managed policies, for add-ons whose vendor keeps one."
  type        = set(string)
  default     = []
}

variable "associate" {
  description = "Make the association. An EKS add-on makes its own."
  type        = bool
  default     = true
}
