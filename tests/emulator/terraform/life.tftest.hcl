# Terraform destroys everything after the last run.

run "create" {}

run "unchanged" {
  command = plan
}

run "change" {
  variables {
    later = true
  }
}

run "unchanged_again" {
  command = plan
  variables {
    later = true
  }
}
