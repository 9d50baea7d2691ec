mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name        = "orders-dlq"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "keeps_for_two_weeks_encrypted" {
  command = plan

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 1209600
    error_message = "A failure may wait over a holiday."
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.kms_key_arn
    error_message = "The queue must be encrypted with the key."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.queue.statement) == 1
    error_message = "Without senders only the denial of plain transport stands."
  }
}

run "admits_each_sender_by_its_source" {
  command = plan

  variables {
    senders = { "events.amazonaws.com" = ["arn:aws:events:eu-west-1:123456789012:rule/orders"] }
  }

  assert {
    condition     = length(data.aws_iam_policy_document.queue.statement) == 2
    error_message = "A sender must get one statement."
  }

  assert {
    condition     = [for condition in data.aws_iam_policy_document.queue.statement[1].condition : condition.variable if condition.variable == "aws:SourceArn"] == ["aws:SourceArn"]
    error_message = "A sender must be bound to its rule."
  }
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses a sender without a source
    senders = { "events.amazonaws.com" = [] }
    # refuses an alias
    kms_key_arn = "alias/mine"
  }

  expect_failures = [
    var.senders,
    var.kms_key_arn,
  ]
}

run "refuses_a_sender_that_is_no_service" {
  command = plan

  variables {
    senders = { "*" = ["arn:aws:events:eu-west-1:123456789012:rule/orders"] }
  }

  expect_failures = [
    var.senders,
  ]
}
