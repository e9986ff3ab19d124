//! The Auto Scaling group.

use crate::recorded::{Answer, Asked, Recorded, xml, xml_error};
use dormouse_aws::ports::CloudError;
use dormouse_core::observed::Member;

fn answer(operation: &str, result: &str) -> Answer {
    xml(&format!(
        r#"<{operation}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
        <{operation}Result>{result}</{operation}Result>
        <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"#
    ))
}

/// DescribeAutoScalingInstances.
fn instances(lifecycles: &[(&str, &str)]) -> Answer {
    let members: String = lifecycles
        .iter()
        .map(|(id, lifecycle)| {
            format!(
                "<member><InstanceId>{id}</InstanceId><AutoScalingGroupName>asg</AutoScalingGroupName>
                <AvailabilityZone>a</AvailabilityZone><LifecycleState>{lifecycle}</LifecycleState>
                <HealthStatus>HEALTHY</HealthStatus>
                <ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>"
            )
        })
        .collect();
    answer("DescribeAutoScalingInstances", &format!("<AutoScalingInstances>{members}</AutoScalingInstances>"))
}

fn invalid() -> Answer {
    xml_error(400, "ValidationError", "Instance Id not found - No managed instance found")
}

fn done(operation: &str) -> Answer {
    answer(operation, "")
}

#[tokio::test]
async fn a_group_is_read() {
    let aws = Recorded::new([answer(
        "DescribeAutoScalingGroups",
        "<AutoScalingGroups><member><AutoScalingGroupName>asg</AutoScalingGroupName>
        <MinSize>0</MinSize><MaxSize>5</MaxSize><DesiredCapacity>2</DesiredCapacity>
        <DefaultCooldown>300</DefaultCooldown><HealthCheckType>EC2</HealthCheckType>
        <CreatedTime>2026-01-01T00:00:00Z</CreatedTime><AvailabilityZones/>
        <Instances>
        <member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState>
        <AvailabilityZone>a</AvailabilityZone><HealthStatus>Healthy</HealthStatus>
        <ProtectedFromScaleIn>true</ProtectedFromScaleIn></member>
        <member><InstanceId>i-2</InstanceId><LifecycleState>Terminating:Wait</LifecycleState>
        <AvailabilityZone>a</AvailabilityZone><HealthStatus>Healthy</HealthStatus>
        <ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>
        </Instances></member></AutoScalingGroups>",
    )]);
    let group = aws.cloud().groups.group("asg").await.unwrap();
    assert_eq!((group.min, group.max, group.desired), (0, 5, 2));
    let member = |id: &str, lifecycle: &str, protected| Member {
        ec2_id: id.into(),
        lifecycle: lifecycle.into(),
        protected,
    };
    assert_eq!(group.members, [member("i-1", "InService", true), member("i-2", "Terminating:Wait", false)]);
    assert_eq!(aws.asked()[0].form()["AutoScalingGroupNames.member.1"], "asg");
}

#[tokio::test]
async fn a_group_that_is_not_there_is_not_found() {
    let aws = Recorded::new([answer("DescribeAutoScalingGroups", "<AutoScalingGroups/>")]);
    let error = aws.cloud().groups.group("asg").await.unwrap_err();
    assert!(matches!(&error, CloudError::NotFound { message, .. } if message.contains("`asg`")), "{error}");
}

#[tokio::test]
async fn the_newest_activity_tells_why_a_launch_failed() {
    let activity = |start: &str, status: &str, message: &str| {
        format!(
            "<member><ActivityId>{start}</ActivityId><AutoScalingGroupName>asg</AutoScalingGroupName>
            <Description>Launching a new EC2 instance</Description><Cause>c</Cause>
            <StartTime>2026-01-01T00:00:{start}Z</StartTime><StatusCode>{status}</StatusCode>
            <StatusMessage>{message}</StatusMessage><Progress>100</Progress></member>"
        )
    };
    let table = [
        (
            vec![activity("09", "Failed", "no capacity"), activity("01", "Successful", "")],
            Some("no capacity"),
        ),
        (vec![activity("01", "Failed", "no capacity"), activity("09", "Successful", "")], None),
        (vec![activity("05", "InProgress", ""), activity("05", "Failed", "no capacity")], None),
        (vec![], None),
    ];
    for (activities, expected) in table {
        let result = format!("<Activities>{}</Activities>", activities.concat());
        let aws = Recorded::new([answer("DescribeScalingActivities", &result)]);
        assert_eq!(aws.cloud().groups.launch_failure("asg").await.unwrap().as_deref(), expected);
        assert_eq!(aws.operations(), ["DescribeScalingActivities"]);
    }
}

#[tokio::test]
async fn desired_capacity_is_set_at_once() {
    let aws = Recorded::new([done("SetDesiredCapacity")]);
    aws.cloud().groups.set_desired("asg", 3).await.unwrap();
    let form = aws.asked()[0].form();
    assert_eq!((form["DesiredCapacity"].as_str(), form["HonorCooldown"].as_str()), ("3", "false"));
    assert_eq!(form["AutoScalingGroupName"], "asg");

    for code in ["ScalingActivityInProgress", "ResourceContention"] {
        let aws = Recorded::new([xml_error(400, code, "later")]);
        let error = aws.cloud().groups.set_desired("asg", 3).await.unwrap_err();
        assert!(matches!(error, CloudError::Throttled { .. }), "{error}");
    }
}

fn ids(asked: &Asked) -> Vec<String> {
    let form = asked.form();
    let mut ids: Vec<_> = form.iter().filter(|(name, _)| name.starts_with("InstanceIds.member.")).collect();
    ids.sort_by_key(|(name, _)| name.rsplit('.').next().unwrap().parse::<u32>().unwrap());
    ids.into_iter().map(|(_, id)| id.clone()).collect()
}

#[tokio::test]
async fn instances_are_protected_50_at_a_time() {
    let all: Vec<_> = (0..101).map(|n| format!("i-{n}")).collect();
    let aws = Recorded::new((0..3).map(|_| done("SetInstanceProtection")));
    aws.cloud().groups.protect("asg", &all).await.unwrap();
    let asked = aws.asked();
    assert_eq!(asked.iter().map(|a| ids(a).len()).collect::<Vec<_>>(), [50, 50, 1]);
    assert_eq!(asked.iter().flat_map(ids).collect::<Vec<_>>(), all);
    assert_eq!(asked[0].form()["ProtectedFromScaleIn"], "true");
}

#[tokio::test]
async fn an_instance_that_is_gone_keeps_no_other_from_being_protected() {
    let all: Vec<_> = ["i-1", "i-2", "i-3"].map(str::to_owned).into();
    let aws = Recorded::new([
        invalid(),
        instances(&[("i-1", "InService"), ("i-3", "Terminating")]),
        done("SetInstanceProtection"),
    ]);
    aws.cloud().groups.protect("asg", &all).await.unwrap();
    assert_eq!(ids(&aws.asked()[2]), ["i-1"]);

    let aws = Recorded::new([invalid(), instances(&[])]);
    aws.cloud().groups.protect("asg", &all).await.unwrap();

    // All of them are there: it was something else.
    let aws = Recorded::new([invalid(), instances(&[("i-1", "InService")])]);
    let error = aws.cloud().groups.protect("asg", &["i-1".into()]).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn terminating_lowers_the_desired_capacity_and_is_sent_once() {
    let aws = Recorded::new([done("TerminateInstanceInAutoScalingGroup")]);
    aws.cloud().groups.terminate("i-1").await.unwrap();
    let form = aws.asked()[0].form();
    assert_eq!(
        (form["InstanceId"].as_str(), form["ShouldDecrementDesiredCapacity"].as_str()),
        ("i-1", "true")
    );

    let aws = Recorded::new([Answer::Broken]);
    let error = aws.cloud().groups.terminate("i-1").await.unwrap_err();
    assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test]
async fn terminating_what_is_gone_or_going_is_success() {
    for lifecycles in [&[][..], &[("i-1", "Terminating:Wait")], &[("i-1", "Terminated")]] {
        let aws = Recorded::new([invalid(), instances(lifecycles)]);
        aws.cloud().groups.terminate("i-1").await.unwrap();
        assert_eq!(aws.operations(), ["TerminateInstanceInAutoScalingGroup", "DescribeAutoScalingInstances"]);
    }
    // E.g. the group is at its minimum.
    let aws = Recorded::new([invalid(), instances(&[("i-1", "InService")])]);
    let error = aws.cloud().groups.terminate("i-1").await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error}");
}
