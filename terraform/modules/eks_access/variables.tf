variable "cluster_name" {
  description = "EKS cluster, with authentication mode API."
  type        = string
}

variable "administrators" {
  description = "Roles of people who administer the cluster: AmazonEKSClusterAdminPolicy for the whole of it."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.administrators : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "administrators must be ARNs of IAM roles (or users), not of sessions: arn:aws:iam::123456789012:role/admin."
  }
}

variable "groups" {
  description = "Role ARN -> Kubernetes groups. Only RBAC that is bound to the groups gives rights; no access policy is attached."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue([for arn in keys(var.groups) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "groups must be keyed by ARNs of IAM roles: arn:aws:iam::123456789012:role/runbook-action."
  }

  validation {
    condition = alltrue([
      for group in flatten([for groups in values(var.groups) : tolist(groups)]) :
      !can(regex("^(system|eks|aws|amazon|iam):", group))
    ])
    error_message = "groups must not begin with system:, eks:, aws:, amazon: or iam:, which Kubernetes and EKS keep to themselves."
  }

  validation {
    condition     = length(setintersection(keys(var.groups), var.administrators)) == 0
    error_message = "a role is either an administrator or in groups: an administrator needs no group, and an engine must not administer."
  }
}
