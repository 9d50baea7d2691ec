# Only the function that talks to a private cluster is in a VPC, and from there it reaches port 443 of what is named.

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:It is attached to the function, in the module that makes functions
  count = var.network == null ? 0 : 1

  name        = "${var.name}-runbook-action"
  description = "Nothing in; out only to port 443 of the cluster and of AWS"
  vpc_id      = var.network.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "addresses" {
  for_each = toset(try(var.network.egress_cidrs, []))

  security_group_id = one(aws_security_group.this[*].id)
  description       = "HTTPS to ${each.value}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "services" {
  for_each = toset(try(var.network.prefix_list_ids, []))

  security_group_id = one(aws_security_group.this[*].id)
  description       = "HTTPS to a service through its gateway endpoint"
  prefix_list_id    = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
