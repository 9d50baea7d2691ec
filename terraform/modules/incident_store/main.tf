# The journal: incidents, executions, claims, signals and audit records in one table.
#
# The definition is the one of runbook_adapters.dynamodb.schema.TABLE; tests/terraform compares the two. The indexes are
# sparse: an item is in one only while it has that index's keys.

locals {
  indexes = toset(["gsi1", "gsi2", "gsi3"])
}

resource "aws_dynamodb_table" "this" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = setunion(["pk", "sk"], flatten([for index in local.indexes : ["${index}pk", "${index}sk"]]))

    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes

    content {
      name            = global_secondary_index.value
      projection_type = "KEYS_ONLY"

      key_schema {
        attribute_name = "${global_secondary_index.value}pk"
        key_type       = "HASH"
      }

      key_schema {
        attribute_name = "${global_secondary_index.value}sk"
        key_type       = "RANGE"
      }
    }
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled                 = true
    recovery_period_in_days = var.recovery_days
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
