variable "name" {
  description = "Name of the installation, and the beginning of the name of all that is in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "topic_arn" {
  description = "Topic that every alarm tells."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:.+$", var.topic_arn))
    error_message = "topic_arn must be an ARN that begins with arn:aws:sns:."
  }
}

variable "functions" {
  description = "Names of the functions to watch, by what they are called in alarms."
  type        = map(string)

  validation {
    condition     = length(var.functions) > 0
    error_message = "functions must name what to watch."
  }
}

variable "asynchronous_functions" {
  description = "Those of the functions (their keys) that are called asynchronously, whose backlog is watched."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.asynchronous_functions, keys(var.functions))) == 0
    error_message = "asynchronous_functions must be keys of functions."
  }
}

variable "dead_letter_queues" {
  description = "Names of the queues of what could not be delivered, by what they are called in alarms."
  type        = map(string)

  validation {
    condition     = length(var.dead_letter_queues) > 0
    error_message = "dead_letter_queues must name the queues: a dead letter that nobody sees is a lost event."
  }
}

variable "source_queues" {
  description = "Names of the queues from which alerts are taken, whose oldest message is watched."
  type        = map(string)
  default     = {}
}

variable "state_machine_arn" {
  description = "The driver."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:states:.+$", var.state_machine_arn))
    error_message = "state_machine_arn must be an ARN that begins with arn:aws:states:."
  }
}

variable "api_id" {
  description = "Id of the HTTP API."
  type        = string
}

variable "sweep_function_name" {
  description = "The function that is called every minute, whose silence is the dead-man alarm."
  type        = string
}

variable "backlog_age_seconds" {
  description = "Age of the oldest unprocessed event or message that is too old."
  type        = number
  default     = 300

  validation {
    condition     = var.backlog_age_seconds >= 60 && var.backlog_age_seconds <= 3600
    error_message = "backlog_age_seconds must be 60 to 3600."
  }
}

variable "silence_minutes" {
  description = "Minutes without a sweep after which the dead-man alarm fires."
  type        = number
  default     = 5

  validation {
    condition     = var.silence_minutes >= 2 && var.silence_minutes <= 60
    error_message = "silence_minutes must be 2 to 60."
  }
}
