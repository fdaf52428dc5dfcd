# What people build with Terraform on EMR, and with `later` what they change in place.
#
# Not here, since the provider itself differs from AWS's answers on every plan: `applications` left out (EMR lists
# Hadoop), a property with an empty value (the provider does not send it), and the configurations of a fleet's instance
# types (it does not read them).

variable "endpoint" {
  type = string
}

variable "later" {
  type    = bool
  default = false
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  endpoints {
    emr = var.endpoint
    ec2 = var.endpoint
    iam = var.endpoint
    sts = var.endpoint
  }
}

resource "aws_emr_security_configuration" "at_rest" {
  name = "at-rest"
  configuration = jsonencode({
    EncryptionConfiguration = { EnableInTransitEncryption = false, EnableAtRestEncryption = false }
  })
}


resource "aws_emr_cluster" "groups" {
  name                              = "groups"
  release_label                     = "emr-7.5.0"
  applications                      = ["Hadoop", "Spark"]
  service_role                      = "EMR_DefaultRole"
  autoscaling_role                  = "EMR_AutoScaling_DefaultRole"
  log_uri                           = "s3://bucket/logs/"
  security_configuration            = aws_emr_security_configuration.at_rest.name
  termination_protection            = !var.later
  keep_job_flow_alive_when_no_steps = true
  unhealthy_node_replacement        = var.later
  step_concurrency_level            = var.later ? 5 : 1
  ebs_root_volume_size              = 30
  scale_down_behavior               = "TERMINATE_AT_TASK_COMPLETION"
  visible_to_all_users              = true
  additional_info                   = jsonencode({ clusterType = "development" })
  tags                              = var.later ? { team = "ads", env = "dev" } : { team = "search", gone = "" }

  ec2_attributes {
    subnet_id                         = "subnet-0a"
    key_name                          = "key"
    instance_profile                  = "EMR_EC2_DefaultRole"
    emr_managed_master_security_group = "sg-1"
    emr_managed_slave_security_group  = "sg-2"
    service_access_security_group     = "sg-3"
    additional_master_security_groups = "sg-4,sg-5"
  }
  master_instance_group {
    name          = "the master"
    instance_type = "m5.xlarge"
  }
  core_instance_group {
    instance_type  = "m5.xlarge"
    instance_count = var.later ? 3 : 2
    bid_price      = "0.30"
    ebs_config {
      size                 = 40
      type                 = "gp3"
      iops                 = 3000
      volumes_per_instance = 2
    }
    ebs_config {
      size = 50
      type = "gp2"
    }
    autoscaling_policy = jsonencode({
      Constraints = { MinCapacity = 1, MaxCapacity = var.later ? 6 : 4 }
      Rules = [{
        Name   = "out"
        Action = { SimpleScalingPolicyConfiguration = { AdjustmentType = "CHANGE_IN_CAPACITY", ScalingAdjustment = 1, CoolDown = 300 } }
        Trigger = { CloudWatchAlarmDefinition = {
          ComparisonOperator = "LESS_THAN", EvaluationPeriods = 1, MetricName = "YARNMemoryAvailablePercentage",
          Namespace          = "AWS/ElasticMapReduce", Period = 300, Statistic = "AVERAGE", Threshold = 15.0, Unit = "PERCENT"
        } }
      }]
    })
  }
  auto_termination_policy {
    idle_timeout = var.later ? 72000 : 36000
  }
  bootstrap_action {
    name = "install"
    path = "s3://bucket/install.sh"
    args = ["--fast", "--fast"]
  }
  bootstrap_action {
    name = "no arguments"
    path = "s3://bucket/more.sh"
  }
  configurations_json = jsonencode([
    { Classification = "spark-defaults", Properties = { "spark.executor.memory" = "4g" } },
    { Classification = "hadoop-env", Properties = {}, Configurations = [
    { Classification = "export", Properties = { HADOOP_HEAPSIZE = "2048" }, Configurations = [] }] },
  ])
  step {
    name              = "debugging"
    action_on_failure = "TERMINATE_CLUSTER"
    hadoop_jar_step {
      jar  = "command-runner.jar"
      args = ["state-pusher-script"]
    }
  }
  step {
    name              = "jar"
    action_on_failure = "CONTINUE"
    hadoop_jar_step {
      jar        = "s3://bucket/a.jar"
      main_class = "com.example.Main"
      properties = { a = "1" }
    }
  }
}

resource "aws_emr_instance_group" "task" {
  cluster_id     = aws_emr_cluster.groups.id
  name           = "task"
  instance_type  = "m5.xlarge"
  instance_count = var.later ? 2 : 1
  bid_price      = "0.10"
  ebs_optimized  = true
  ebs_config {
    size                 = 64
    type                 = "gp3"
    volumes_per_instance = 1
  }
  configurations_json = jsonencode([{ Classification = "yarn-site", Properties = { a = var.later ? "2" : "1" } }])
}

resource "aws_emr_cluster" "fleets" {
  name          = "fleets"
  release_label = "emr-7.5.0"
  service_role  = "arn:aws:iam::123456789012:role/EMR_DefaultRole"
  applications  = ["Hadoop"]
  tags          = { a = "b" }
  ec2_attributes {
    instance_profile = "arn:aws:iam::123456789012:instance-profile/EMR_EC2_DefaultRole"
    subnet_ids       = ["subnet-0a", "subnet-0b"]
  }
  master_instance_fleet {
    name                      = "master"
    target_on_demand_capacity = 1
    instance_type_configs {
      instance_type = "m5.xlarge"
    }
  }
  core_instance_fleet {
    name                      = "core"
    target_on_demand_capacity = 2
    target_spot_capacity      = 2
    instance_type_configs {
      bid_price_as_percentage_of_on_demand_price = 80
      instance_type                              = "m5.xlarge"
      weighted_capacity                          = 1
      ebs_config {
        size                 = 100
        type                 = "gp2"
        volumes_per_instance = 1
      }
    }
    instance_type_configs {
      bid_price_as_percentage_of_on_demand_price = 100
      instance_type                              = "m5.2xlarge"
      weighted_capacity                          = 2
    }
    launch_specifications {
      spot_specification {
        allocation_strategy      = "capacity-optimized"
        block_duration_minutes   = 0
        timeout_action           = "SWITCH_TO_ON_DEMAND"
        timeout_duration_minutes = 10
      }
      on_demand_specification {
        allocation_strategy = "lowest-price"
      }
    }
  }
}

resource "aws_emr_instance_fleet" "task" {
  cluster_id                = aws_emr_cluster.fleets.id
  name                      = "task"
  target_on_demand_capacity = var.later ? 2 : 1
  target_spot_capacity      = 1
  instance_type_configs {
    instance_type     = "m5.xlarge"
    weighted_capacity = 1
  }
  launch_specifications {
    spot_specification {
      allocation_strategy      = "price-capacity-optimized"
      timeout_action           = "TERMINATE_CLUSTER"
      timeout_duration_minutes = 10
    }
  }
}

resource "aws_emr_cluster" "plain" {
  name          = "plain"
  release_label = "emr-6.10.0"
  applications  = ["Hadoop"]
  service_role  = "EMR_DefaultRole"
  ec2_attributes {
    instance_profile = "EMR_EC2_DefaultRole"
  }
  master_instance_group {
    instance_type = "m5.xlarge"
  }
  core_instance_group {
    instance_type = "m5.xlarge"
  }
}

resource "aws_emr_managed_scaling_policy" "plain" {
  cluster_id = aws_emr_cluster.plain.id
  compute_limits {
    unit_type                       = "Instances"
    minimum_capacity_units          = 1
    maximum_capacity_units          = var.later ? 8 : 4
    maximum_ondemand_capacity_units = 4
    maximum_core_capacity_units     = 4
  }
}
