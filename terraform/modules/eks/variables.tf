variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes. The control plane is upgraded one minor version at a time."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]) >= 35, false)
    error_message = "kubernetes_version must be 1.35 or newer: older ones have left standard support, or do so in December 2026, and then cost six times as much."
  }
}

variable "private_subnet_ids" {
  description = "Subnets of the nodes and of the cluster's own network interfaces, in two zones or more."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must name two subnets or more, in different zones."
  }
}

variable "public_access_cidrs" {
  description = "Who may reach the public endpoint; empty: the endpoint is private only."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr))])
    error_message = "public_access_cidrs must be IPv4 networks, such as 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "public_access_cidrs must not open the API server to everybody: name networks of /8 or smaller, your own address best."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts Kubernetes secrets and the control plane's logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the control plane's logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "architecture" {
  description = "Of the nodes: arm64 (cheaper) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "instance_types" {
  description = "Types of the nodes, all of the one architecture."
  type        = list(string)
  default     = ["t4g.medium"]

  validation {
    condition     = length(var.instance_types) > 0
    error_message = "instance_types must name a type."
  }

  validation {
    condition = alltrue([
      for type in var.instance_types : can(regex("^[a-z]+[0-9]+[a-z]*g[a-z]*\\.", type)) == (var.architecture == "arm64")
    ])
    error_message = "instance_types must fit architecture: Graviton types (t4g, m7g, c8gn...) are arm64, the others x86_64."
  }
}

variable "capacity_type" {
  description = "ON_DEMAND or SPOT."
  type        = string
  default     = "ON_DEMAND"

  validation {
    condition     = contains(["ON_DEMAND", "SPOT"], var.capacity_type)
    error_message = "capacity_type must be ON_DEMAND or SPOT."
  }
}

variable "nodes" {
  description = "How many nodes: at least, at first, at most."
  type = object({
    min     = number
    desired = number
    max     = number
  })
  default = { min = 2, desired = 2, max = 4 }

  validation {
    condition     = 0 < var.nodes.min && var.nodes.min <= var.nodes.desired && var.nodes.desired <= var.nodes.max
    error_message = "nodes must hold 0 < min <= desired <= max."
  }
}

variable "disk_gib" {
  description = "Size of a node's disk."
  type        = number
  default     = 30

  validation {
    condition     = var.disk_gib >= 20 && var.disk_gib <= 1024
    error_message = "disk_gib must be 20 to 1024."
  }
}

variable "addon_versions" {
  description = "Versions of EKS add-ons by name; an add-on that is not named gets the default of the Kubernetes version."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setsubtract(keys(var.addon_versions), [
      "aws-ebs-csi-driver", "coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni",
    ])) == 0
    error_message = "addon_versions knows aws-ebs-csi-driver, coredns, eks-pod-identity-agent, kube-proxy and vpc-cni."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster until this is false."
  type        = bool
  default     = false
}
