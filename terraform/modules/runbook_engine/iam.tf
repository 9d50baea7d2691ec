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

  # A pause that has run out is lifted by writing that it is over.
  statement {
    sid     = "LiftPause"
    actions = ["ssm:PutParameter"]
    resources = [
      "arn:${data.aws_partition.current.partition}:ssm:${local.place}:parameter${var.pause_parameter}",
    ]
  }
}
