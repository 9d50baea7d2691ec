mock_provider "aws" {
  source          = "../../testing"
  override_during = plan
}

variables {
  name        = "runbook-engine"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "is_safe_by_default" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "The journal must not vanish by accident."
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "The journal must be restorable."
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "The journal must be encrypted with the key."
  }

  assert {
    condition     = aws_dynamodb_table.this.ttl[0].attribute_name == "ttl" && aws_dynamodb_table.this.ttl[0].enabled
    error_message = "Old items must expire."
  }

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "Nothing is paid for while nothing happens."
  }

  assert {
    condition     = length(aws_dynamodb_table.this.global_secondary_index) == 3
    error_message = "There must be three indexes."
  }
}

run "grants_no_scan_and_no_administration" {
  command = plan

  assert {
    condition     = alltrue([for action in data.aws_iam_policy_document.access.statement[0].actions : !can(regex("Scan|Table|Backup|\\*", action))])
    error_message = "Functions read and write items, no more."
  }
}

run "refuses_a_recovery_that_is_too_long" {
  command = plan

  variables {
    recovery_days = 36
  }

  expect_failures = [
    var.recovery_days,
  ]
}
