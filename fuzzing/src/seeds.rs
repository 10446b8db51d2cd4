//! What fuzzing begins with.

use model::{
    AccountId, ConfigId, KeyVersion, Project, ProjectId, Resource, Revision, Sealed, SecretId, SecretItemId,
    SecretValue, SecretValueId, State, Timestamp,
};
use uuid::Uuid;

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|it| it.as_bytes().to_vec()).collect()
}

pub(crate) fn json() -> Vec<Vec<u8>> {
    texts(&[
        "{}",
        "[]",
        "null",
        "\"\\u00e9\\ud83d\\ude00\\ud800 \\n\"",
        "-0.0e+10",
        "{\"name\": \"web\", \"port\": 80, \"command\": [\"a\", \"b\"], \"env\": {\"A\": null}, \"x\": 1.5e-7}",
        "{\"a\": 1, \"a\": [true, false, {\"b\": \"\\u0000\"}]}",
        " \t\r\n[1 , 2]\n",
        "123456789012345678901234567890.5",
    ])
}

pub(crate) fn query() -> Vec<Vec<u8>> {
    texts(&[
        "page=2&ordering=-name,id",
        "page=last&project=01901234-5678-7abc-8def-0123456789ab",
        "a=1&a=2&follow=1&page=%2B7&page=%D9%A8",
        "ordering=&page=&&x",
        "page=99999999999999999999999999999999999999999999&z=%FF",
        "at=2024-10-15T10:00:00.123456%2B02:00",
    ])
}

pub(crate) fn path() -> Vec<Vec<u8>> {
    texts(&[
        "/api/services/01901234-5678-7abc-8def-0123456789ab/",
        "/api/services/%7B01901234-5678-7abc-8def-0123456789ab%7D/deployments/",
        "/api/secrets/a/items/urn:uuid:01901234567867abc8def0123456789ab/",
        "/api/projects",
        "//api/%2Fprojects/%FF/",
    ])
}

pub(crate) fn accept() -> Vec<Vec<u8>> {
    texts(&[
        "application/json; indent=4",
        "text/html, */*;q=0.1",
        "application/*;version=\"2\"\n*/*; indent=2",
        ";;=,=;application/json",
    ])
}

pub(crate) fn head() -> Vec<Vec<u8>> {
    texts(&[
        "GET /a/../b?c=d\nHost: example.org:80\nConnection: close, X-Secret, host\nX-Secret: 1\nTE: trailers",
        "POST http://Example.ORG./%2e%2E/a\nHost: example.org\nContent-Length: 3\nX-Forwarded-For: 1.2.3.4",
        "GET /chat\nHost: [::1]:80\nConnection: Upgrade\nUpgrade: websocket\ngoblins-replica: x",
        "CONNECT a:80\nHost: a:80",
        "PUT /%\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 3",
        "OPTIONS *\nHost: a",
    ])
}

pub(crate) fn sealed() -> Vec<Vec<u8>> {
    vec![storage::fuzz::sealed_seed()]
}

pub(crate) fn keyring() -> Vec<Vec<u8>> {
    let document =
        "goblins-keyring-2\ncluster 00000000-0000-0000-0000-000000000007\ncurrent 1\nversions 1\nretired -\nroot ";
    vec![
        storage::fuzz::keyring_seed(),
        [
            document,
            &"09".repeat(32),
            "\nlock-generation 1\nkey 1 ",
            &"01".repeat(32),
            "\nchecksum 00\n",
        ]
        .concat()
        .into_bytes(),
        [
            document,
            &"09".repeat(32),
            "\nlock-generation 1\nlock argon2id 65536 3 1 ",
            &"0a".repeat(16),
        ]
        .concat()
        .into_bytes(),
    ]
}

pub(crate) fn codec() -> Vec<Vec<u8>> {
    let resources: Vec<Resource> = state().resources().collect();
    storage::fuzz::codec_seeds(&resources)
}

pub(crate) fn stored() -> Vec<Vec<u8>> {
    raft::fuzz::stored_seeds()
}

pub(crate) fn snapshot() -> Vec<Vec<u8>> {
    vec![
        storage::fuzz::snapshot_seed(&state()),
        storage::fuzz::snapshot_seed(&State::default()),
    ]
}

pub(crate) fn snapshot_unchecked() -> Vec<Vec<u8>> {
    snapshot().into_iter().map(|it| without_end(it, 32)).collect()
}

pub(crate) fn backup() -> Vec<Vec<u8>> {
    vec![storage::fuzz::backup_seed(&state())]
}

pub(crate) fn backup_unchecked() -> Vec<Vec<u8>> {
    backup().into_iter().map(|it| without_end(it, 40)).collect()
}

pub(crate) fn join_token() -> Vec<Vec<u8>> {
    let digest = "0F".repeat(32);
    texts(&[
        &format!("gobj_secret_{digest}"),
        "gobj__",
        "gobj_a_b_c",
        &format!("gobj_{digest}"),
    ])
}

pub(crate) fn dotenv() -> Vec<Vec<u8>> {
    texts(&[
        "# all\nexport A=1\nB='two $A words' # why\nC=\"line\\nline\"\n\nD=\n",
        "P=pa$HOME\nQ=\"a ${PATH} $c\" # $x 'y\nR=\\$z\n",
        "A=it\\'s\\ \\\"so\\\"\r\nB=`x`\n",
        "A='multi\nline'\nB=\"a\\\\b\"",
    ])
}

fn without_end(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.truncate(bytes.len().saturating_sub(length));
    bytes
}

/// A few things, sealed ones among them.
fn state() -> State {
    let project = |id: u128| {
        Resource::from(Project {
            id: ProjectId(Uuid::from_u128(id)),
            account: AccountId(Uuid::from_u128(1)),
            name: format!("project {id}"),
            default_config: ConfigId(Uuid::from_u128(2)),
            default_secret: SecretId(Uuid::from_u128(3)),
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            revision: Revision(1),
        })
    };
    let value = Resource::from(SecretValue {
        id: SecretValueId {
            item: SecretItemId(Uuid::from_u128(4)),
            version: 1,
        },
        key: "KEY".to_owned(),
        sealed: Sealed {
            key: KeyVersion(2),
            wrapped: vec![1; 60],
            value: vec![2; 40],
        },
    });
    State::from_resources(Revision(42), Timestamp(420), (0..3).map(project).chain([value]))
}
