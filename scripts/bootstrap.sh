#!/usr/bin/env bash
# From an empty account to a running engine: the Lambda zips, the state bucket, the cluster, the pipeline, kubectl.
# Usage: scripts/bootstrap.sh --region REGION [OPTION...]
#   --region REGION      where (default: AWS_REGION)
#   --name NAME          name of the installation (default: runbook-engine)
#   --account ID         the account that is meant; any other is refused
#   --allow-from CIDR    who may reach the API server from outside; may be repeated
#   --private            nobody may: work from inside the network
#   --admin ROLE_ARN     role that administers the cluster; may be repeated (default: the role you are signed in with)
#   --github OWNER/NAME  repository whose workflows may deploy the sandbox
#   --yes                apply without asking; otherwise Terraform shows each plan and asks
#   --from STEP          begin with this step: lambda, state, cluster, pipeline, access, kubectl
#   --dry-run            print every command, run none
# Everything may be repeated: what is there already stays as it is. More settings: STACK/installation.auto.tfvars.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib/steps.sh
source scripts/lib/steps.sh

account='' github='' private=0 yes=0 allowed=() admins=()
while (($#)); do
    case $1 in
        --region | --name | --account | --allow-from | --admin | --github | --from)
            take "$@"
            case $1 in
                --region) REGION=$VALUE ;;
                --name) NAME=$VALUE ;;
                --account) account=$VALUE ;;
                --allow-from) allowed+=("$VALUE") ;;
                --admin) admins+=("$VALUE") ;;
                --github) github=$VALUE ;;
                --from) FROM=$VALUE ;;
            esac
            shift 2
            ;;
        --private) private=1 && shift ;;
        --yes) yes=1 && shift ;;
        --dry-run) DRY_RUN=1 && shift ;;
        -h | --help) usage && exit 0 ;;
        *) complain "what is $1? (--help lists the options)" ;;
    esac
done

step lambda 'build the zips of the functions'
step state 'the state bucket, and roles for workflows'
step cluster 'the network and the cluster'
step pipeline 'the pipeline: API, functions, bus, table, state machine'
step access 'let the engine into the cluster'
step kubectl 'an entry for kubectl'
check_from

need make 'install make (Debian: apt-get install make)'
need_aws
need_terraform
need_kubectl
need_region
need_account "$account"
need_terraform_version
((${#allowed[@]} || private)) || [[ -d $STACKS/cluster/.terraform || -e $STACKS/cluster/installation.auto.tfvars ]] ||
    want 'who may reach the API server? name addresses with --allow-from ADDRESS/32, or say --private'
((yes || DRY_RUN)) || [[ -t 0 ]] || want 'there is no terminal to confirm on: add --yes'
ready

# apply STACK SETTING...: Terraform shows its plan and asks, or with --yes goes ahead
apply() {
    local name=$1 options=()
    shift
    if ((yes)); then options=(-input=false -auto-approve); fi
    run terraform "-chdir=$STACKS/$name" apply "${options[@]}" "-var=region=$REGION" "-var=name=$NAME" "$@"
}

step_lambda() { run make lambda; }

# bucket_exists BUCKET: "there is none" and "that cannot be told" are different answers
bucket_exists() {
    local said
    if ((DRY_RUN)); then
        say "? $(quoted aws s3api head-bucket --bucket "$1")"
        return 0
    fi
    if said=$(aws s3api head-bucket --bucket "$1" 2>&1); then return 0; fi
    if [[ $said == *404* || $said == *'Not Found'* ]]; then return 1; fi
    printf 'bootstrap: whether the bucket %s exists cannot be told: %s\n' "$1" "$said" >&2
    exit 1
}

# The bucket cannot hold its own state before it exists: the first apply keeps it here, in a file, then it moves. A run
# that was cut off between the two finds the file again.
step_state() {
    local folder=$STACKS/bootstrap bucket
    local override=$folder/backend_override.tf state=$folder/terraform.tfstate
    bucket=$(state_bucket)
    if [[ ! -e $state ]] && bucket_exists "$bucket"; then
        ((DRY_RUN)) || rm -f "$override"
        stack bootstrap "$bucket"
        apply_state
        return
    fi
    say '(the first time: the state is here until its bucket exists)'
    ((DRY_RUN)) || printf 'terraform {\n  backend "local" {}\n}\n' >"$override"
    run terraform "-chdir=$folder" init -input=false -reconfigure
    apply_state
    ((DRY_RUN)) || rm -f "$override"
    run terraform "-chdir=$folder" init -input=false -migrate-state -force-copy "-backend-config=bucket=$bucket" \
        "-backend-config=key=bootstrap/terraform.tfstate" "-backend-config=region=$REGION" -backend-config=encrypt=false
    ((DRY_RUN)) || [[ ! -e $state ]] || mv "$state" "$state.migrated"
}

# Without --github the repository stays the one that it was: leaving out an option takes nothing away.
apply_state() {
    local settings=()
    if [[ -z $github ]]; then github=$(kept bootstrap github_repository | tr -d '"'); fi
    if [[ -n $github ]]; then settings+=("-var=github_repository=$github"); fi
    apply bootstrap "${settings[@]}"
}

# Whoever makes a cluster gets no rights by that: without --admin it is the role of these credentials.
own_role() {
    if ((DRY_RUN)); then
        printf '<your role>'
    elif [[ $CALLER =~ :assumed-role/([^/]+)/ ]]; then
        # with its path, which the session does not show
        aws iam get-role --role-name "${BASH_REMATCH[1]}" --query Role.Arn --output text
    else
        printf '%s' "$CALLER"
    fi
}

apply_cluster() {
    local addresses administrators role settings=()
    stack cluster
    if ((private || ${#allowed[@]})); then addresses=$(json "${allowed[@]}"); else addresses=$(kept cluster public_access_cidrs); fi
    if ((${#admins[@]})); then administrators=$(json "${admins[@]}"); else administrators=$(kept cluster administrators); fi
    if [[ ! -e $STACKS/cluster/installation.auto.tfvars ]]; then
        if [[ -z $addresses ]] && ! ((DRY_RUN)); then
            printf 'bootstrap: who may reach the API server? name addresses with --allow-from, or say --private\n' >&2
            return 2
        fi
        if [[ -z $administrators ]]; then
            role=$(own_role)
            administrators=$(json "$role")
        fi
    fi
    if [[ -n $addresses ]]; then settings+=("-var=public_access_cidrs=$addresses"); fi
    if [[ -n $administrators ]]; then settings+=("-var=administrators=$administrators"); fi
    apply cluster "${settings[@]}"
}

step_cluster() { apply_cluster; }

# The function that acts lives in the cluster's network, unless the installation says otherwise.
step_pipeline() {
    local network settings=()
    if ! grep -qsE '^ *network *=' $STACKS/pipeline/*.tfvars; then
        network=$(answer_json cluster engine_network)
        settings+=("-var=network=$network")
    fi
    stack pipeline
    apply pipeline "${settings[@]}"
}

# The role of the function that acts exists only now: the cluster stack looks it up and enters it.
step_access() { apply_cluster; }

step_kubectl() { run aws eks update-kubeconfig --region "$REGION" --name "$NAME" --alias "$NAME"; }

walk
say
say "Done. Next: scripts/install-addons.sh --region $REGION"
