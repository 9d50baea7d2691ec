data "aws_iam_policy_document" "drive" {
  source_policy_documents = concat(var.policies, var.drive_policies)

  statement {
    sid       = "Wake"
    actions   = ["states:SendTaskSuccess"]
    resources = [aws_sfn_state_machine.driver.arn]
  }
}

data "aws_iam_policy_document" "sweep" {
  source_policy_documents = var.policies
}
