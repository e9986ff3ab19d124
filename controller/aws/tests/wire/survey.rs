//! What a survey asks, and how it reads what comes back.

use crate::recorded::{Answer, Recorded, json, json_error, xml, xml_error};
use dormouse_aws::Survey;
use dormouse_aws::ports::CloudError;
use dormouse_core::definition::Architecture;
use dormouse_core::doctor::facts::{
    Cluster, HostedZone, InstanceType, MachineImage, Route, ScalingGroup, Subnet,
};
use dormouse_core::doctor::{Facts, Reading, Site};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn site() -> Site {
    Site {
        domain: "example.com".into(),
        zone: "Z1".into(),
        private_zone: None,
        proxy_cluster: "proxies".into(),
        service_cluster: "services".into(),
        group: "asg".into(),
        proxy_subnets: vec!["subnet-p".into()],
        service_subnets: vec!["subnet-s".into(), "subnet-p".into()],
        security_groups: vec!["sg-1".into(), "sg-gone".into()],
        architecture: None,
    }
}

async fn facts(aws: &Recorded) -> Result<Facts, CloudError> {
    Survey::connect(&aws.config(), &aws.cloud()).facts(&site()).await
}

fn zone() -> Answer {
    xml(r#"<GetHostedZoneResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><HostedZone>
        <Id>/hostedzone/Z1</Id><Name>Example.com.</Name><CallerReference>c</CallerReference>
        <Config><PrivateZone>false</PrivateZone></Config></HostedZone>
        <DelegationSet><NameServers><NameServer>ns-1.Example.net.</NameServer></NameServers></DelegationSet>
        </GetHostedZoneResponse>"#)
}

fn cluster(name: &str) -> Answer {
    json(json!({"clusters": [
        {"clusterName": name, "status": "ACTIVE", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]},
    ]}))
}

fn group(inner: &str) -> Answer {
    xml(&format!(
        r#"<DescribeAutoScalingGroupsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
        <DescribeAutoScalingGroupsResult><AutoScalingGroups>{inner}</AutoScalingGroups>
        </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"#
    ))
}

fn asg(template: &str) -> Answer {
    group(&format!(
        "<member><AutoScalingGroupName>asg</AutoScalingGroupName><MinSize>0</MinSize><MaxSize>5</MaxSize>
        <DesiredCapacity>1</DesiredCapacity><DefaultCooldown>300</DefaultCooldown>
        <HealthCheckType>EC2</HealthCheckType><CreatedTime>2026-01-01T00:00:00Z</CreatedTime>
        <AvailabilityZones><member>a</member></AvailabilityZones>{template}<Instances>
        <member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState>
        <AvailabilityZone>a</AvailabilityZone><HealthStatus>Healthy</HealthStatus>
        <ProtectedFromScaleIn>true</ProtectedFromScaleIn></member>
        <member><InstanceId>i-2</InstanceId><LifecycleState>Pending</LifecycleState>
        <AvailabilityZone>a</AvailabilityZone><HealthStatus>Healthy</HealthStatus>
        <ProtectedFromScaleIn>true</ProtectedFromScaleIn></member></Instances></member>"
    ))
}

fn user_data(base64: &str) -> Answer {
    xml(&format!(
        "<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet><item><launchTemplateData>
        <imageId>ami-1</imageId><instanceType>t4g.xlarge</instanceType><userData>{base64}</userData></launchTemplateData></item>
        </launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>"
    ))
}

fn image() -> Answer {
    xml("<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><imageState>available</imageState>
        <name>al2023-ami-ecs-hvm</name><architecture>arm64</architecture><creationDate>x</creationDate>
        <deprecationTime>2028-01-01T00:00:00.000Z</deprecationTime></item></imagesSet></DescribeImagesResponse>")
}

fn none_registered() -> Answer {
    json(json!({"containerInstanceArns": []}))
}

fn subnets() -> Answer {
    xml("<DescribeSubnetsResponse><subnetSet>
        <item><subnetId>subnet-p</subnetId><vpcId>vpc-1</vpcId><availabilityZone>a</availabilityZone></item>
        <item><subnetId>subnet-s</subnetId><vpcId>vpc-1</vpcId><availabilityZone>b</availabilityZone></item>
        </subnetSet></DescribeSubnetsResponse>")
}

fn security_groups() -> Answer {
    xml("<DescribeSecurityGroupsResponse><securityGroupInfo>
        <item><groupId>sg-1</groupId><vpcId>vpc-1</vpcId></item>
        </securityGroupInfo></DescribeSecurityGroupsResponse>")
}

const TEMPLATE: &str =
    "<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>7</Version></LaunchTemplate>";
const MIXED: &str = "<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification>
    <LaunchTemplateName>own</LaunchTemplateName></LaunchTemplateSpecification><Overrides>
    <member><InstanceType>m6g.large</InstanceType></member></Overrides></LaunchTemplate></MixedInstancesPolicy>";

fn healthy(template: &str) -> Vec<Answer> {
    vec![
        zone(),
        cluster("proxies"),
        cluster("services"),
        asg(template),
        user_data("RUNTX0NMVVNURVI9c2VydmljZXMK"),
        none_registered(),
        subnets(),
        security_groups(),
        image(),
    ]
}

#[tokio::test]
async fn everything_is_read() {
    let aws = Recorded::new(healthy(TEMPLATE));
    let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<BTreeSet<_>>();
    let known = Cluster { status: "ACTIVE".into(), providers: set(&["FARGATE", "FARGATE_SPOT"]) };
    let subnet = |zone: &str| Subnet { vpc: "vpc-1".into(), zone: zone.into() };
    let expected = Facts {
        zone: Reading::Known(HostedZone {
            name: "example.com".into(),
            private: false,
            name_servers: vec!["ns-1.example.net".into()],
        }),
        private_zone: None,
        proxy_cluster: Reading::Known(known.clone()),
        service_cluster: Reading::Known(known),
        group: Reading::Known(ScalingGroup {
            members: set(&["i-1"]),
            zones: set(&["a"]),
            max: 5,
            types: set(&["t4g.xlarge"]),
            image: Reading::Known("ami-1".into()),
            user_data: Reading::Known("ECS_CLUSTER=services\n".into()),
        }),
        machine: Reading::Known(MachineImage {
            id: "ami-1".into(),
            name: "al2023-ami-ecs-hvm".into(),
            architecture: "arm64".into(),
            state: "available".into(),
            deprecated_at: Some("2028-01-01T00:00:00Z".parse().unwrap()),
        }),
        registered: Reading::Known(set(&[])),
        subnets: Reading::Known(BTreeMap::from([
            ("subnet-p".to_owned(), subnet("a")),
            ("subnet-s".to_owned(), subnet("b")),
        ])),
        security_groups: Reading::Known(BTreeMap::from([("sg-1".to_owned(), "vpc-1".to_owned())])),
    };
    assert_eq!(facts(&aws).await.unwrap(), expected);
    let asked = aws.asked();
    let form = asked[4].form();
    assert_eq!((form["LaunchTemplateId"].as_str(), form["LaunchTemplateVersion.1"].as_str()), ("lt-1", "7"));
    // Each subnet once.
    assert_eq!(asked[6].form().keys().filter(|key| key.starts_with("Filter.1.Value")).count(), 2);
    let form = asked[8].form();
    assert_eq!((form["Filter.1.Value.1"].as_str(), form["IncludeDeprecated"].as_str()), ("ami-1", "true"));
}

#[tokio::test]
async fn a_mixed_instances_policy_has_a_template_too() {
    let aws = Recorded::new(healthy(MIXED));
    let Reading::Known(group) = facts(&aws).await.unwrap().group else { panic!() };
    assert!(group.types.iter().eq(["m6g.large"]), "{:?}", group.types);
    let form = aws.asked()[4].form();
    let asked = (form["LaunchTemplateName"].as_str(), form["LaunchTemplateVersion.1"].as_str());
    assert_eq!(asked, ("own", "$Default"));
}

#[tokio::test]
async fn what_is_not_there_is_missing_and_what_is_refused_unread() {
    let denied = "User: u is not authorized to perform: ecs:DescribeClusters";
    let unauthorized =
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error>
        </Errors></Response>";
    let aws = Recorded::new([
        xml_error(404, "NoSuchHostedZone", "none"),
        json(json!({"clusters": [], "failures": [{"arn": "proxies", "reason": "MISSING"}]})),
        json_error(400, "AccessDeniedException", denied),
        group(""),
        json_error(400, "ClusterNotFoundException", "Cluster not found."),
        Answer::Http(403, unauthorized.into()),
        security_groups(),
    ]);
    let found = facts(&aws).await.unwrap();
    assert_eq!(found.zone, Reading::Missing);
    assert_eq!(found.proxy_cluster, Reading::Missing);
    let Reading::Unread(why) = &found.service_cluster else { panic!("{:?}", found.service_cluster) };
    assert!(why.contains("ReadClusters of policies/controller.json"), "{why}");
    assert_eq!(found.group, Reading::Missing);
    assert_eq!(found.registered, Reading::Missing);
    let Reading::Unread(why) = &found.subnets else { panic!("{:?}", found.subnets) };
    assert!(why.contains("ec2:DescribeSubnets is not allowed"), "{why}");
}

#[tokio::test]
async fn what_may_be_answered_later_is_an_error() {
    for answer in [xml_error(400, "Throttling", "slow"), Answer::Broken] {
        let aws = Recorded::new([answer]);
        let error = facts(&aws).await.unwrap_err();
        assert!(matches!(error, CloudError::Throttled { .. } | CloudError::Unknown { .. }), "{error}");
    }
}

#[tokio::test]
async fn user_data_may_be_compressed() {
    let mut answers = healthy(TEMPLATE);
    answers[4] = user_data("H4sIAAAAAAAA/w==");
    let found = facts(&Recorded::new(answers)).await.unwrap();
    let Reading::Known(group) = found.group else { panic!("{:?}", found.group) };
    assert_eq!(group.user_data, Reading::Unread("the user data is no text".into()));
}

#[tokio::test]
async fn an_image_may_be_gone_or_looked_up_elsewhere() {
    let template = |image: &str| {
        xml(&format!(
            "<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet><item><launchTemplateData>{image}
            </launchTemplateData></item></launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>"
        ))
    };
    let none = || xml("<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>");
    let parameter = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    for (image, answer, expected) in [
        ("<imageId>ami-1</imageId>".to_owned(), Some(none()), None),
        (format!("<imageId>{parameter}</imageId>"), None, Some(parameter)),
        (String::new(), None, Some("names no image")),
    ] {
        let mut answers = healthy(TEMPLATE);
        answers[4] = template(&image);
        answers.truncate(8);
        answers.extend(answer);
        let found = facts(&Recorded::new(answers)).await.unwrap().machine;
        match (found, expected) {
            (Reading::Missing, None) => {}
            (Reading::Unread(why), Some(words)) => assert!(why.contains(words), "{why}"),
            (found, _) => panic!("{image}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn types_with_templates_of_their_own_have_no_image_in_common() {
    let own = MIXED.replace(
        "<InstanceType>",
        "<LaunchTemplateSpecification><LaunchTemplateName>other</LaunchTemplateName></LaunchTemplateSpecification><InstanceType>",
    );
    let mut answers = healthy(&own);
    answers.truncate(8);
    let found = facts(&Recorded::new(answers)).await.unwrap().machine;
    assert!(matches!(&found, Reading::Unread(why) if why.contains("of their own")), "{found:?}");
}

/// What comes back of calls that change something, all made for what is not there; one of them is not allowed.
fn refusals() -> Vec<Answer> {
    vec![
        json_error(400, "ClientException", "TaskDefinition not found."),
        json_error(400, "InvalidParameterException", "The referenced task was not found."),
        json_error(400, "AccessDeniedException", "User: u is not authorized to perform: ecs:StopTask"),
        json_error(400, "ClientException", "no"),
        json(json!({"failures": [{"reason": "MISSING"}]})),
        xml_error(
            400,
            "ValidationError",
            "The instance i-00000000000000000 is not part of Auto Scaling group asg.",
        ),
        xml_error(400, "InvalidChangeBatch", "it was not found"),
    ]
}

#[tokio::test]
async fn a_running_controller_reads_more() {
    let image = |name: &str| format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:1");
    let mut answers = healthy(TEMPLATE);
    answers.extend([xml(
        r#"<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">
            <ResourceRecordSets><ResourceRecordSet><Name>\052.example.com.</Name><Type>A</Type><TTL>10</TTL>
            <ResourceRecords><ResourceRecord><Value>203.0.113.9</Value></ResourceRecord></ResourceRecords>
            </ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems>
            </ListResourceRecordSetsResponse>"#,
    )]);
    answers.extend(refusals());
    answers.extend([
        xml("<DescribeRouteTablesResponse><routeTableSet>
            <item><vpcId>vpc-1</vpcId><routeSet><item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock>
            <gatewayId>local</gatewayId></item></routeSet>
            <associationSet><item><main>true</main></item></associationSet></item>
            <item><vpcId>vpc-1</vpcId><routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>
            <gatewayId>igw-1</gatewayId></item></routeSet>
            <associationSet><item><subnetId>subnet-p</subnetId><main>false</main></item></associationSet></item>
            </routeTableSet></DescribeRouteTablesResponse>"),
        xml("<DescribeInstanceTypesResponse><instanceTypeSet><item><instanceType>t4g.xlarge</instanceType>
            <vCpuInfo><defaultVCpus>4</defaultVCpus></vCpuInfo><processorInfo><supportedArchitectures>
            <item>arm64</item></supportedArchitectures></processorInfo>
            <networkInfo><maximumNetworkInterfaces>4</maximumNetworkInterfaces></networkInfo></item>
            </instanceTypeSet></DescribeInstanceTypesResponse>"),
        json(json!({"imageDetails": []})),
        Answer::Http(400, r#"{"__type": "ns#ImageNotFoundException", "message": "no", "Message": "no"}"#.into()),
        json(json!({"Quota": {"Value": 6.0}})),
        json_error(400, "AccessDeniedException", "no"),
    ]);
    let aws = Recorded::new(answers);
    let survey = Survey::connect(&aws.config(), &aws.cloud());
    let facts = survey.facts(&site()).await.unwrap();
    let images = [image("a"), image("b"), "nginx:1".to_owned()];
    let around = survey.around(&site(), "main", &facts, &images).await.unwrap();
    assert_eq!(around.wildcard, Reading::Known(vec!["203.0.113.9".into()]));
    for (action, permission) in &around.permissions {
        match permission {
            Reading::Known(()) => assert_ne!(*action, "ecs:StopTask"),
            Reading::Unread(why) => assert!(why.contains("ReadAndStopTasks of policies"), "{why}"),
            Reading::Missing => panic!("{action}"),
        }
    }
    assert_eq!(around.permissions.len(), 6);
    assert_eq!(around.routes, Reading::Known(BTreeMap::from([("subnet-p".into(), Route::InternetGateway)])));
    let kind = InstanceType { architectures: ["arm64".to_owned()].into(), interfaces: 4, vcpus: 4 };
    assert_eq!(around.types, Reading::Known(BTreeMap::from([("t4g.xlarge".into(), kind)])));
    let expected = [(image("a"), Reading::Known(())), (image("b"), Reading::Missing)];
    assert_eq!(around.images, BTreeMap::from(expected));
    assert_eq!(around.fargate_quota, Reading::Known(6.0));
    assert!(matches!(around.instance_quota, Reading::Unread(_)));
    let clock = survey.clock().unwrap();
    let began = "2026-01-01T00:00:00Z".parse().unwrap();
    assert!(clock >= began && clock.duration_since(began).as_hours() == 0, "{clock}");
    let asked = aws.asked();
    assert_eq!(asked[10].json()["taskDefinition"], json!("dormouse-main-nothing-at-all:1"));
    assert_eq!(asked[19].uri, "https://api.ecr.eu-west-1.amazonaws.com/");
    assert_eq!(asked[19].operation(), "DescribeImages");
    assert_eq!(asked[21].json(), json!({"ServiceCode": "fargate", "QuotaCode": "L-3032A538"}));
}

#[tokio::test]
async fn what_a_group_launches_is_its_images_processor() {
    let none = || xml("<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>");
    let own = MIXED.replace(
        "<InstanceType>m6g.large</InstanceType>",
        "<InstanceType>m6g.large</InstanceType><LaunchTemplateSpecification>
        <LaunchTemplateName>other</LaunchTemplateName></LaunchTemplateSpecification>",
    );
    let template = || user_data("");
    let table = [
        (vec![asg(TEMPLATE), template(), image()], Some(Architecture::Arm64)),
        (vec![asg(MIXED), template(), image()], Some(Architecture::Arm64)),
        (vec![asg(TEMPLATE), template(), none()], None),
        (vec![asg(&own), template()], None),
        (vec![group("")], None),
    ];
    for (answers, expected) in table {
        let count = answers.len();
        let aws = Recorded::new(answers);
        assert_eq!(aws.cloud().groups.launches("asg").await.unwrap(), expected);
        assert_eq!(aws.asked().len(), count);
    }
}
