mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name              = "runbook-engine"
  kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  state_machine_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:driver"
  oncall_topic_arn  = "arn:aws:sns:eu-west-1:123456789012:oncall"
}

run "acts_on_no_replay" {
  command = plan

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.driver.event_pattern)["replay-name"] == [{ exists = false }]
    error_message = "A replay must not remediate again."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.oncall.event_pattern)["replay-name"] == [{ exists = false }]
    error_message = "A replay must not wake anybody."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.driver.event_pattern)["detail-type"] == ["Execution Due"]
    error_message = "The driver starts for executions that are due."
  }
}

run "bounds_the_age_of_what_acts" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_target.driver.retry_policy[0].maximum_event_age_in_seconds == 300
    error_message = "A late remediation is a second incident."
  }

  assert {
    condition     = aws_cloudwatch_event_target.driver.input_path == "$.detail"
    error_message = "The input of the driver is the detail."
  }
}

run "keeps_what_it_cannot_deliver" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_event_target.driver.dead_letter_config) == 1 && length(aws_cloudwatch_event_target.oncall.dead_letter_config) == 1 && length(aws_cloudwatch_event_target.audit.dead_letter_config) == 1
    error_message = "Every target needs a dead-letter queue."
  }

  assert {
    condition     = toset(values(output.dead_letter_queues)) == toset(["runbook-engine-driver-dlq", "runbook-engine-oncall-dlq", "runbook-engine-audit-dlq"])
    error_message = "Each target has its own queue."
  }
}

run "archives_and_audits" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_archive.this.retention_days == 30
    error_message = "The archive must end."
  }

  assert {
    condition     = aws_cloudwatch_log_group.audit.name == "/aws/events/runbook-engine-audit" && aws_cloudwatch_log_group.audit.retention_in_days == 365
    error_message = "The audit log must be where EventBridge may write, for a year."
  }
}

run "tells_what_nobody_graded" {
  command = plan

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.oncall.event_pattern).detail.severity == ["critical", "high", "unknown"]
    error_message = "An alert without a severity may be the worst of all."
  }
}

run "tells_the_severities_that_are_asked_for" {
  command = plan

  variables {
    oncall_severities = ["critical"]
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.oncall.event_pattern).detail.severity == ["critical"]
    error_message = "Only the severities asked for wake the on-call."
  }
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses an age of an hour
    maximum_event_age_seconds = 3600
    # refuses an archive for ever
    archive_days = 0
    # refuses an unknown severity
    oncall_severities = ["urgent"]
    # refuses a function as driver
    state_machine_arn = "arn:aws:lambda:eu-west-1:123456789012:function:driver"
  }

  expect_failures = [
    var.maximum_event_age_seconds,
    var.archive_days,
    var.oncall_severities,
    var.state_machine_arn,
  ]
}
