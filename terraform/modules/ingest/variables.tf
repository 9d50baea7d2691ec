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

variable "package" {
  description = "Path of the zip with the code (make lambda)."
  type        = string
}

variable "runtime" {
  description = "Runtime of the function."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.12, python3.13 or python3.14 (3.11 runs on Amazon Linux 2, which ends)."
  }
}

variable "architecture" {
  description = "Processor that the zip was built for: arm64 (a fifth cheaper) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64, as the zip was built."
  }
}

variable "environment" {
  description = "Environment of every function here: RUNBOOK_TABLE, RUNBOOK_BUS, RUNBOOK_BUNDLE and what engine.yaml names. Never a secret."
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["RUNBOOK_TABLE", "RUNBOOK_BUS", "RUNBOOK_BUNDLE"] : contains(keys(var.environment), name)])
    error_message = "environment needs RUNBOOK_TABLE, RUNBOOK_BUS and RUNBOOK_BUNDLE."
  }
}

variable "policies" {
  description = "Policy documents that every function here needs: of the journal, of the bus, of a bundle in S3."
  type        = list(string)
}

variable "token_parameters" {
  description = "Paths of the SSM parameters with credentials: of the scopes (bearer tokens, HMAC keys, passwords), and of people who answer."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for path in var.token_parameters : can(regex("^/[A-Za-z0-9/._-]+$", path))])
    error_message = "token_parameters must be whole paths such as /runbook-engine/scopes/payments (no wildcards)."
  }
}

variable "link_key_parameter" {
  description = "Path of the SecureString that signs approval links (RUNBOOK_LINK_KEY)."
  type        = string

  validation {
    condition     = can(regex("^/[A-Za-z0-9/._-]+$", var.link_key_parameter))
    error_message = "link_key_parameter must be a path such as /runbook-engine/link-key."
  }
}

variable "state_machine_arn" {
  description = "The driver, whose waiting approval a decision wakes up."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:states:.+$", var.state_machine_arn))
    error_message = "state_machine_arn must be an ARN that begins with arn:aws:states:."
  }
}

variable "maximum_event_age_seconds" {
  description = "How old an event or an asynchronous call may get before it is given up."
  type        = number
  default     = 900

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 900
    error_message = "maximum_event_age_seconds must be 60 to 900."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "rate_limit" {
  description = "Requests a second that the webhooks take in the long run; senders repeat what is refused."
  type        = number
  default     = 50

  validation {
    condition     = var.rate_limit >= 1 && var.rate_limit <= 10000
    error_message = "rate_limit must be 1 to 10000."
  }
}

variable "burst_limit" {
  description = "Requests that the webhooks take at once."
  type        = number
  default     = 100

  validation {
    condition     = var.burst_limit >= var.rate_limit && var.burst_limit <= 5000
    error_message = "burst_limit must be rate_limit to 5000."
  }
}

variable "ingest_concurrency" {
  description = "Most alerts that are taken in at a time, and that many kept free for them; -1: whatever the account has left."
  type        = number
  default     = 20

  validation {
    condition     = var.ingest_concurrency == -1 || (var.ingest_concurrency >= 1 && var.ingest_concurrency <= 1000 && floor(var.ingest_concurrency) == var.ingest_concurrency)
    error_message = "ingest_concurrency must be a whole number from 1 to 1000, or -1 (0 would switch the function off)."
  }
}

variable "approve_concurrency" {
  description = "Most approval pages served at a time; -1: whatever the account has left."
  type        = number
  default     = 5

  validation {
    condition     = var.approve_concurrency == -1 || (var.approve_concurrency >= 1 && var.approve_concurrency <= 1000 && floor(var.approve_concurrency) == var.approve_concurrency)
    error_message = "approve_concurrency must be a whole number from 1 to 1000, or -1 (0 would switch the function off)."
  }
}

variable "cloudwatch_alarms" {
  description = "Whether every CloudWatch alarm of the account and region is taken in. The engine's own alarms never are: they go to people."
  type        = bool
  default     = true
}

variable "own_alarm_prefix" {
  description = "Beginning of the names of the engine's own alarms, which are not taken in."
  type        = string

  validation {
    condition     = length(var.own_alarm_prefix) >= 3
    error_message = "own_alarm_prefix must be at least 3 characters: an empty one would leave every alarm out."
  }
}

variable "deployment_sources" {
  description = "Where deployments are heard of, to say what changed before an incident."
  type        = set(string)
  default     = ["aws.codedeploy", "aws.codepipeline", "aws.ecs", "runbook-engine.deploys"]

  validation {
    condition     = length(setsubtract(var.deployment_sources, ["aws.codedeploy", "aws.codepipeline", "aws.ecs", "runbook-engine.deploys"])) == 0
    error_message = "deployment_sources may be aws.codedeploy, aws.codepipeline, aws.ecs and runbook-engine.deploys."
  }
}

variable "sns_topics" {
  description = "SNS topics whose messages are alerts, by a name of your choice."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for topic in values(var.sns_topics) : can(regex("^arn:[a-z-]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", topic))])
    error_message = "sns_topics must be ARNs of standard topics."
  }
}

variable "sqs_queues" {
  description = "SQS queues whose messages are alerts, by a name of your choice. Each needs a redrive policy of its own, and a visibility timeout of six times the function's."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for queue in values(var.sqs_queues) : can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_.-]+$", queue))])
    error_message = "sqs_queues must be ARNs of queues."
  }
}
