data "aws_iam_policy_document" "ingest" {
  source_policy_documents = var.policies

  # An alert that is resolved wakes an execution that waits for an approval.
  statement {
    sid       = "Wake"
    actions   = ["states:SendTaskSuccess"]
    resources = [var.state_machine_arn]
  }

  dynamic "statement" {
    for_each = length(var.sqs_queues) > 0 ? [values(var.sqs_queues)] : []

    content {
      sid       = "Queues"
      actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      resources = statement.value
    }
  }
}

data "aws_iam_policy_document" "approve" {
  source_policy_documents = var.policies

  statement {
    sid       = "Wake"
    actions   = ["states:SendTaskSuccess"]
    resources = [var.state_machine_arn]
  }
}
