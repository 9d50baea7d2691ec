variable "region" {
  description = "Region of the cluster."
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
  description = "Name of the installation; the cluster bears it."
  type        = string
  default     = "runbook-engine"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "tags" {
  description = "Tags of everything, beside Project, Stack and ManagedBy."
  type        = map(string)
  default     = {}
}

variable "vpc_cidr" {
  description = "Addresses of the network, /16 to /20."
  type        = string
  default     = "10.42.0.0/16"
}

variable "zone_count" {
  description = "How many availability zones: two or three."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "zone_count must be 2 or 3."
  }
}

variable "zones" {
  description = "The availability zones by name; null: the first zone_count of the region."
  type        = list(string)
  default     = null
}

variable "nat" {
  description = "NAT gateways: none, one or per_zone."
  type        = string
  default     = "one"
}

variable "kubernetes_version" {
  description = "Version of Kubernetes: 1.35 or newer."
  type        = string
  default     = "1.36"
}

variable "public_access_cidrs" {
  description = "Who may reach the API server from outside; empty: nobody, work from inside the network."
  type        = set(string)
  default     = []
}

variable "administrators" {
  description = "ARNs of the roles of people who administer the cluster."
  type        = set(string)

  validation {
    condition     = length(var.administrators) > 0
    error_message = "administrators must name a role: whoever makes the cluster gets no rights by that."
  }
}

variable "architecture" {
  description = "Of the nodes: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "instance_types" {
  description = "Types of the nodes."
  type        = list(string)
  default     = ["t4g.medium"]
}

variable "capacity_type" {
  description = "ON_DEMAND or SPOT."
  type        = string
  default     = "ON_DEMAND"
}

variable "nodes" {
  description = "How many nodes: at least, at first, at most."
  type = object({
    min     = number
    desired = number
    max     = number
  })
  default = { min = 2, desired = 2, max = 4 }
}

variable "addon_versions" {
  description = "Versions of EKS add-ons by name."
  type        = map(string)
  default     = {}
}

variable "log_retention_days" {
  description = "Days that the control plane's logs are kept."
  type        = number
  default     = 90
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster until this is false."
  type        = bool
  default     = false
}

variable "runbook_action_role_name" {
  description = "Role of the function that acts on the cluster (stacks/pipeline makes it); null: NAME-runbook-action."
  type        = string
  default     = null

  validation {
    condition     = var.runbook_action_role_name == null || can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.runbook_action_role_name))
    error_message = "runbook_action_role_name must be the name of an IAM role, without its path."
  }
}

variable "engine_group" {
  description = "Kubernetes group of the engine; RBAC for it comes from `runbook permissions --subject group:NAME`."
  type        = string
  default     = "runbook-engine"
}

variable "runner" {
  description = "ServiceAccount of the in-cluster runner (helm/runbook-engine), and what it may do in AWS: JSON of `runbook permissions --format iam`; null: nothing."
  type = object({
    namespace       = optional(string, "runbooks")
    service_account = optional(string, "runner-runbook-engine")
    policy          = optional(string)
  })
  default = {}
}

variable "dns_zone_ids" {
  description = "Route 53 hosted zones that external-dns may write; empty: it gets no role."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.dns_zone_ids : can(regex("^Z[A-Z0-9]{1,31}$", id))])
    error_message = "dns_zone_ids must be ids of hosted zones, such as Z0123456789ABCDEFGHIJ."
  }
}
