//! Pages, links, order and filters. Every case has a project of its own, so that it sees only what it made.

use serde_json::{Value, json};

use crate::target::{Api, id};

async fn services(api: &Api<'_>, count: usize) -> (String, Vec<Value>) {
    let project = id(&api.project().await).to_owned();
    let mut made = Vec::new();
    for n in 0..count {
        let body = json!({"name": api.name(), "image": format!("i{}", n % 3), "port": 1000 + n, "project": project});
        made.push(api.post("/api/services/", &body.to_string()).await.ok(201));
    }
    (project, made)
}

fn names(page: &Value) -> Vec<&Value> {
    page["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|it| &it["name"])
        .collect()
}

pub async fn pages(api: &Api<'_>) {
    let (project, made) = services(api, 45).await;
    let base = format!("http://{}/api/services/", api.target.host());
    let get = async |query: &str| api.get(&format!("/api/services/?project={project}{query}")).await;
    let link = |page: u32| json!(format!("{base}?page={page}&project={project}"));
    let first_link = json!(format!("{base}?project={project}"));

    for first in [
        "",
        "&page=1",
        "&page=",
        "&page=+1",
        "&page=00001",
        "&page=2&page=1",
        "&page_size=5",
        "&limit=2&offset=7",
    ] {
        let page = get(first).await.ok(200);
        assert_eq!(
            (&page["count"], &page["previous"]),
            (&json!(45), &Value::Null),
            "{first}"
        );
        assert_eq!(
            names(&page),
            made[..20].iter().map(|it| &it["name"]).collect::<Vec<_>>(),
            "{first}"
        );
    }
    let page = get("").await.ok(200);
    assert_eq!(page["next"], link(2));
    for second in [
        "&page=2",
        "&page=%2B2",
        "&page=%202%20",
        "&page=00002",
        "&page=%D9%A2",
        "&page=9&page=2",
    ] {
        let page = get(second).await.ok(200);
        assert_eq!((&page["next"], &page["previous"]), (&link(3), &first_link), "{second}");
        assert_eq!(
            names(&page),
            made[20..40].iter().map(|it| &it["name"]).collect::<Vec<_>>()
        );
    }
    for last in ["&page=3", "&page=last"] {
        let page = get(last).await.ok(200);
        assert_eq!(
            (&page["next"], &page["previous"], names(&page).len()),
            (&Value::Null, &link(2), 5),
            "{last}"
        );
    }
    for bad in [
        "0",
        "-1",
        "4",
        "1.0",
        "1e0",
        "LAST",
        "first",
        "x",
        "%20",
        "99999999999999999999999999999999999999999",
    ] {
        get(&format!("&page={bad}")).await.detail(404, "Invalid page.");
    }
}

pub async fn an_empty_list_has_a_page(api: &Api<'_>) {
    let project = api.project().await;
    for page in ["", "&page=1", "&page=last"] {
        let got = api.get(&format!("/api/services/?project={}{page}", id(&project))).await;
        got.is(200, json!({"count": 0, "next": null, "previous": null, "results": []}));
        assert_eq!(got.text(), r#"{"count":0,"next":null,"previous":null,"results":[]}"#);
    }
    api.get(&format!("/api/services/?project={}&page=2", id(&project)))
        .await
        .detail(404, "Invalid page.");
}

pub async fn links_keep_the_other_parameters(api: &Api<'_>) {
    let (project, _) = services(api, 21).await;
    let base = format!("http://{}/api/services/", api.target.host());
    let query = format!("z=1&x&ordering=-name,id&b=a+b&b=%2F~*&project={project}");
    let kept = |page: &str| format!("{base}?b=a+b&b=%2F~%2A&ordering=-name%2Cid&{page}project={project}&x=&z=1");
    let first = api.get(&format!("/api/services/?{query}")).await.ok(200);
    assert_eq!(first["next"], kept("page=2&"));
    let second = api.get(&format!("/api/services/?page=2&{query}")).await.ok(200);
    assert_eq!(second["previous"], kept(""));

    // Nothing left, no question mark.
    let target = format!("/api/services/{}/deployments/", id(&first["results"][0]));
    for port in 1..=20 {
        let service = format!("/api/services/{}/", id(&first["results"][0]));
        api.patch(&service, &format!(r#"{{"port":{port}}}"#)).await.ok(200);
    }
    let second = api.get(&format!("{target}?page=2")).await.ok(200);
    assert_eq!(
        (&second["count"], &second["previous"]),
        (&json!(21), &json!(format!("http://{}{target}", api.target.host())))
    );
}

pub async fn order(api: &Api<'_>) {
    let (project, made) = services(api, 6).await;
    let sorted = async |ordering: &str| {
        let page = api
            .get(&format!("/api/services/?project={project}{ordering}"))
            .await
            .ok(200);
        page["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|it| it["port"].clone())
            .collect::<Vec<_>>()
    };
    let ports = |numbers: [u32; 6]| numbers.map(|n| json!(1000 + n)).to_vec();
    let _ = made;
    let oldest_first = ports([0, 1, 2, 3, 4, 5]);
    for ordering in [
        "",
        "&ordering=",
        "&ordering=--port",
        "&ordering=PORT",
        "&ordering=a__b,?",
        "&ordering=nothing",
        "&ordering=port",
        "&ordering=-port&ordering=port",
        "&ordering=created_at",
        "&ordering=%20port%20",
        "&ordering=status",
        "&ordering=-notes",
        "&ordering=config",
    ] {
        assert_eq!(sorted(ordering).await, oldest_first, "{ordering}");
    }
    for ordering in [
        "&ordering=-port",
        "&ordering=nothing,-port",
        "&ordering=-created_at",
        "&ordering=status,-port",
    ] {
        assert_eq!(sorted(ordering).await, ports([5, 4, 3, 2, 1, 0]), "{ordering}");
    }
    assert_eq!(sorted("&ordering=image,-port").await, ports([3, 0, 4, 1, 5, 2]));
    assert_eq!(sorted("&ordering=-image,port").await, ports([2, 5, 1, 4, 0, 3]));
}

pub async fn the_project_filter(api: &Api<'_>) {
    let (project, _) = services(api, 2).await;
    let count = async |query: &str| api.get(&format!("/api/services/?{query}")).await.ok(200)["count"].clone();
    let everything = count("").await;
    for same in [
        project.clone(),
        project.to_uppercase(),
        project.replace('-', ""),
        format!("%7B{project}%7D"),
        format!("urn:uuid:{project}"),
    ] {
        assert_eq!(count(&format!("project={same}")).await, json!(2), "{same}");
    }
    assert_eq!(count(&format!("project=x&project={project}")).await, json!(2));
    assert_eq!(count("project=").await, everything);
    assert_eq!(count("project=00000000-0000-4000-8000-000000000000").await, json!(0));
    for bad in ["x", "5", "not-a-uuid"] {
        for collection in ["services", "workers", "domains", "routes", "configs", "secrets"] {
            let got = api.get(&format!("/api/{collection}/?project={bad}")).await;
            got.is(400, json!({"project": ["Must be a valid UUID."]}));
        }
        // No filter there.
        api.get(&format!("/api/deployments/?project={bad}")).await.ok(200);
    }
}
