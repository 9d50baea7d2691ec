# The least there is: webhooks in, people told, nothing changed (no action_policy_file: every runbook only proposes).
#   terraform -chdir=terraform/stacks/pipeline plan -var-file=../../examples/minimal.tfvars
region = "eu-west-1"

token_parameters = ["/runbook-engine/scopes/payments"]

oncall_subscriptions = {
  oncall = { protocol = "email", endpoint = "oncall@example.com" }
}
