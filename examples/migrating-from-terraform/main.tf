provider "aws" {
  region = "eu-west-1"

  default_tags {
    tags = { owner = "data" }
  }
}

variable "workers" {
  type    = number
  default = 2
}

variable "hive_password" {
  type      = string
  sensitive = true
}

resource "aws_emr_cluster" "etl" {
  name                              = "etl"
  release_label                     = "emr-7.5.0"
  applications                      = ["Hadoop", "Hive"]
  service_role                      = "EMR_DefaultRole"
  keep_job_flow_alive_when_no_steps = true
  log_uri                           = "s3://acme-logs/emr/"

  ec2_attributes {
    subnet_id        = "subnet-0a1b2c3d"
    instance_profile = "EMR_EC2_DefaultRole"
  }
  master_instance_group {
    instance_type = "m5.xlarge"
  }
  core_instance_group {
    instance_type  = "m5.2xlarge"
    instance_count = var.workers
  }
  configurations_json = jsonencode([{
    Classification = "hive-site"
    Properties     = { "javax.jdo.option.ConnectionPassword" = var.hive_password }
  }])
  tags = { team = "search" }
}

resource "aws_emr_managed_scaling_policy" "grow" {
  cluster_id = aws_emr_cluster.etl.id
  compute_limits {
    unit_type              = "Instances"
    minimum_capacity_units = 2
    maximum_capacity_units = 10
  }
}
