provider "aws" {
  region = var.region

  default_tags {
    tags = merge(var.tags, {
      application = "runbook-engine"
      environment = var.environment_name
      managed-by  = "terraform"
      stack       = "pipeline"
    })
  }
}
