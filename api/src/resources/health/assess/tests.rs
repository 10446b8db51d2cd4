use super::*;

/// Nodes of which the first `votes` vote, all of them well. The first leads.
fn facts(nodes: u64, votes: u64) -> Facts {
    let members = (1..=nodes).map(|id| Member {
        id: NodeId(id),
        name: format!("n{id}"),
        votes: id <= votes,
        leads: id == 1,
        voting: Voting::Auto,
        silent: None,
        lag: Some(0),
        disk: Some((50 << 30, 100 << 30)),
        version: Some("1".to_owned()),
        locked: false,
        keys_behind: false,
    });
    Facts {
        has_leader: true,
        leads: true,
        asked: "n1".to_owned(),
        voters: usize::try_from(votes).expect("small"),
        is_rotating: false,
        is_certifying: false,
        members: members.collect(),
    }
}

fn silence(facts: &mut Facts, id: usize) {
    facts.members[id - 1].silent = Some("no answer".to_owned());
}

#[test]
fn it_is_healthy_when_it_survives_as_much_as_it_could() {
    for (nodes, votes, survives) in [(1, 1, 0), (2, 1, 0), (3, 3, 1), (4, 3, 1), (5, 5, 2), (9, 7, 3)] {
        let verdict = assess(&facts(nodes, votes));
        assert_eq!(verdict.status, Status::Healthy, "{nodes} {votes}: {verdict:?}");
        assert_eq!((verdict.survives, verdict.should_survive), (survives, survives));
        assert!(verdict.findings.is_empty());
    }
    // Three nodes of which only one votes so far.
    let young = assess(&facts(3, 1));
    assert_eq!(
        (young.status, young.survives, young.should_survive),
        (Status::Degraded, 0, 1)
    );
    assert!(young.summary().contains("should be 1"), "{}", young.summary());
}

#[test]
fn a_lost_voter_degrades_and_a_lost_majority_stops_it() {
    let mut one = facts(3, 3);
    silence(&mut one, 3);
    let verdict = assess(&one);
    assert_eq!((verdict.status, verdict.survives), (Status::Degraded, 0));
    assert!(
        verdict.findings[0].remedy.contains("goblins node remove n3"),
        "{verdict:?}"
    );
    silence(&mut one, 2);
    one.has_leader = false;
    for it in &mut one.members {
        it.leads = false;
    }
    let verdict = assess(&one);
    assert_eq!(
        (verdict.status, verdict.survives, verdict.answering),
        (Status::NoQuorum, 0, 1)
    );
    assert!(
        verdict.findings[0].remedy.contains("goblins recover --plan"),
        "{verdict:?}"
    );
    assert!(
        verdict.findings[0]
            .text
            .starts_with("n1 leads without a majority, and 2 of 3")
    );
    assert_eq!(
        verdict.findings[1].remedy, "start its daemon",
        "nobody can be taken out now"
    );
    one.leads = false;
    assert!(
        assess(&one).findings[0]
            .text
            .starts_with("n1 has no word from a leader, and 2 of 3")
    );
}

#[test]
fn full_disks_locked_keyrings_and_laggards_are_problems_and_mixed_versions_are_not() {
    let mut mixed = facts(3, 3);
    mixed.members[1].version = Some("2".to_owned());
    mixed.is_rotating = true;
    mixed.is_certifying = true;
    mixed.members[2].keys_behind = true;
    let verdict = assess(&mixed);
    assert_eq!(
        (verdict.status, verdict.findings.len()),
        (Status::Healthy, 3),
        "{verdict:?}"
    );
    let mut ill = facts(3, 3);
    ill.members[0].disk = Some((1 << 30, 100 << 30));
    ill.members[1].locked = true;
    ill.members[2].lag = Some(LAG_MAX + 1);
    let verdict = assess(&ill);
    assert_eq!(
        (verdict.status, verdict.findings.len()),
        (Status::Degraded, 3),
        "{verdict:?}"
    );
    // Much is free of a small disk, or little of a huge one.
    let mut small = facts(1, 1);
    small.members[0].disk = Some((1 << 30, 2 << 30));
    assert_eq!(assess(&small).status, Status::Healthy);
}

#[test]
fn a_wish_that_is_not_met_says_why() {
    let said = |facts: &Facts| {
        assess(facts)
            .findings
            .iter()
            .map(|it| it.text.clone())
            .collect::<String>()
    };
    let mut two = facts(2, 1);
    two.members[1].voting = Voting::Always;
    assert!(said(&two).contains("survive as many losses"), "{}", said(&two));
    let mut behind = facts(4, 3);
    behind.members[3].voting = Voting::Always;
    assert!(
        said(&behind).contains("not changed the voters yet"),
        "{}",
        said(&behind)
    );
    behind.members[3].lag = Some(LAG_MAX + 1);
    assert!(said(&behind).contains("catch up"), "{}", said(&behind));
    let mut last = facts(2, 1);
    last.members[0].voting = Voting::Never;
    silence(&mut last, 2);
    assert!(said(&last).contains("no other node is up"), "{}", said(&last));
    // Who is not to vote does not count among those who could be lost.
    let mut three = facts(3, 1);
    three.members[2].voting = Voting::Never;
    assert_eq!(assess(&three).status, Status::Healthy);
}

#[test]
fn a_leader_is_cut_off_when_most_voters_are_silent_and_none_has_just_spoken() {
    let (just_now, before) = (Some(Duration::from_millis(80)), Some(Duration::from_millis(700)));
    assert!(is_cut_off(1, 3, before) && is_cut_off(2, 4, before) && is_cut_off(1, 3, None));
    assert!(!is_cut_off(1, 3, just_now), "they may only be slow to say how they are");
    assert!(!is_cut_off(2, 3, before) && !is_cut_off(1, 1, before));
}
