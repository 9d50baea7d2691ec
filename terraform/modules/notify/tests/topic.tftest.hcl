mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name                = "runbook-engine"
  kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  publisher_rule_arns = ["arn:aws:events:eu-west-1:123456789012:rule/runbook-engine/oncall"]
  subscriptions       = { oncall = { protocol = "email", endpoint = "oncall@example.com" } }
}

run "is_encrypted_and_lists_who_publishes" {
  command = plan

  assert {
    condition     = aws_sns_topic.oncall.kms_master_key_id == var.kms_key_arn
    error_message = "The topic must be encrypted with the key."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.topic.statement) == 3
    error_message = "Rules and alarms publish, plain transport is denied."
  }
}

run "filters_by_what_the_message_says" {
  command = plan

  variables {
    subscriptions = { pager = { protocol = "https", endpoint = "https://events.example.com/sns", filter_policy = jsonencode({ severity = ["critical"] }) } }
  }

  assert {
    condition     = aws_sns_topic_subscription.this["pager"].filter_policy_scope == "MessageBody"
    error_message = "Messages of the bus have no attributes."
  }

  assert {
    condition     = can(jsondecode(aws_sns_topic_subscription.this["pager"].redrive_policy).deadLetterTargetArn)
    error_message = "What cannot be delivered must be kept."
  }
}

run "warns_when_nobody_listens" {
  command = plan

  variables {
    subscriptions = {}
  }

  expect_failures = [check.somebody_listens]
}

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    # refuses plain http
    subscriptions = { pager = { protocol = "http", endpoint = "http://events.example.com" } }
    # refuses a topic nobody publishes to
    publisher_rule_arns = []
  }

  expect_failures = [
    var.subscriptions,
    var.publisher_rule_arns,
  ]
}

run "refuses_credentials_in_an_address" {
  command = plan

  variables {
    subscriptions = { pager = { protocol = "https", endpoint = "https://user:secret@events.example.com/" } }
  }

  expect_failures = [
    var.subscriptions,
  ]
}

run "refuses_a_filter_that_is_no_json" {
  command = plan

  variables {
    subscriptions = { pager = { protocol = "https", endpoint = "https://events.example.com/", filter_policy = "critical" } }
  }

  expect_failures = [
    var.subscriptions,
  ]
}
