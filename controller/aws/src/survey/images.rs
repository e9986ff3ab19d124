//! Images in ECR, and quotas: calls of the JSON protocol.

use super::{Survey, reading};
use crate::error::incomplete;
use crate::ports::CloudError;
use crate::signed::Body;
use dormouse_core::doctor::Reading;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const IMAGES: &str = "ecr:DescribeImages";
const QUOTA: &str = "servicequotas:GetServiceQuota";

/// An image in a registry of ECR.
#[derive(Debug, PartialEq, Eq)]
struct EcrImage<'a> {
    account: &'a str,
    region: &'a str,
    repository: &'a str,
    /// `imageDigest` or `imageTag`, and its value.
    which: (&'static str, &'a str),
}

impl<'a> EcrImage<'a> {
    /// `None` for an image elsewhere.
    fn parse(image: &'a str) -> Option<EcrImage<'a>> {
        let (host, path) = image.split_once('/')?;
        let (account, rest) = host.split_once(".dkr.ecr.")?;
        let region =
            rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
        let (repository, which) = match (path.split_once('@'), path.split_once(':')) {
            (Some((name, digest)), _) => (name.split(':').next()?, ("imageDigest", digest)),
            (None, Some((name, tag))) => (name, ("imageTag", tag)),
            (None, None) => (path, ("imageTag", "latest")),
        };
        Some(EcrImage { account, region, repository, which })
    }
}

impl Survey {
    /// Whether images are there, of those that are in this region's ECR.
    pub(super) async fn images(
        &self,
        images: impl IntoIterator<Item = &String>,
    ) -> Result<BTreeMap<String, Reading<()>>, CloudError> {
        let mut found = BTreeMap::new();
        for image in images {
            let Some(ecr) = EcrImage::parse(image).filter(|ecr| ecr.region == self.region) else { continue };
            let (kind, value) = ecr.which;
            let input = json!({
                "registryId": ecr.account, "repositoryName": ecr.repository, "imageIds": [{kind: value}],
            });
            let target = "AmazonEC2ContainerRegistry_V20150921.DescribeImages";
            let answer = self.ecr.call(IMAGES, Body::Json { target, input: input.to_string() }).await;
            found.insert(image.clone(), reading(answer.map(drop))?);
        }
        Ok(found)
    }

    /// A quota's value.
    pub(super) async fn quota(&self, service: &str, code: &str) -> Result<f64, CloudError> {
        let input = json!({"ServiceCode": service, "QuotaCode": code}).to_string();
        let target = "ServiceQuotasV20190624.GetServiceQuota";
        let answer = self.quotas.call(QUOTA, Body::Json { target, input }).await?;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        answer["Quota"]["Value"].as_f64().ok_or_else(|| incomplete(QUOTA, "an answer without a value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_ecr_are_known_by_their_names() {
        let of = |which| EcrImage { account: "123456789012", region: "eu-west-1", repository: "a/b", which };
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        for (image, expected) in [
            ("a/b:1", Some(("imageTag", "1"))),
            ("a/b", Some(("imageTag", "latest"))),
            ("a/b@sha256:ab", Some(("imageDigest", "sha256:ab"))),
            ("a/b:1@sha256:ab", Some(("imageDigest", "sha256:ab"))),
        ] {
            assert_eq!(EcrImage::parse(&format!("{host}/{image}")), expected.map(of), "{image}");
        }
        for image in ["nginx:1", "public.ecr.aws/a/b:1", "ghcr.io/a/b", "localhost:5000/a"] {
            assert_eq!(EcrImage::parse(image), None, "{image}");
        }
    }
}
