//! The list of the cases, for whoever puts them to something: here to a router in this process, in the system tests of
//! `chaos` to a real cluster. A module named here knows [`crate::target`] and nothing else of its crate.

/// Hands the list, as `module { case, ... }`, to the macro named.
macro_rules! every_case {
    ($run:ident) => {
        $run! {
            envelope {
                a_missing_slash_is_redirected_before_anything_else,
                unknown_paths_are_404_before_credentials,
                the_format_parameter,
                the_accept_header,
                indent_pretty_prints,
                methods_and_allow,
                head_has_the_status_of_get,
                the_first_check_that_fails_answers,
                health_needs_no_key,
            }
            credentials {
                headers,
                a_read_only_key_reads,
                a_key_is_shown_once_and_works_until_it_is_revoked,
                keys_are_checked_like_everything_else,
                an_account_has_at_most_ten_active_keys,
                what_is_somebody_elses_is_not_there,
                only_admins_manage_the_cluster,
            }
            bodies {
                media_types,
                no_body_is_an_empty_object,
                get_and_delete_do_not_read_it,
                what_is_not_json,
                what_is_no_object,
                charsets,
                keys_of_the_object,
                unknown_and_read_only_fields_are_ignored,
                too_much_is_refused,
            }
            values {
                required_fields,
                every_failing_field_is_reported,
                strings,
                integers,
                booleans,
                references,
                containers,
                a_failed_request_changes_nothing,
            }
            conditions {
                an_object_is_changed_as_it_was_seen_or_not_at_all,
                the_same_idempotency_key_gives_the_first_answer,
                changes_and_deletions_take_effect_once_under_an_idempotency_key,
                an_idempotency_key_is_for_one_request_of_one_account,
            }
            users {
                an_admin_manages_accounts,
                an_account_sees_and_changes_only_itself,
            }
            ids {
                every_spelling_of_an_id,
                everything_else_is_not_found,
                a_deleted_object_is_gone_at_once,
            }
            lists {
                pages,
                an_empty_list_has_a_page,
                links_keep_the_other_parameters,
                order,
                the_project_filter,
            }
            resources {
                services,
                names_are_unique_within_the_account,
                deployments,
                domains,
                routes,
                what_is_in_use_stays,
                projects,
                times_and_ids,
            }
            cluster {
                nodes_and_cluster,
                join_tokens,
            }
            workers {
                workers,
                they_are_no_services,
                names_of_their_own,
                their_deployments_and_replicas,
            }
            settings {
                they_are_shown_in_full_and_sent_in_part,
                the_registry_secret_is_one_of_the_accounts_own_and_stays_while_it_is_used,
                what_is_wrong_with_them_is_named,
                what_bears_on_containers_starts_a_deployment,
                folders_of_the_host_are_for_admins,
                they_come_back_with_a_rollback,
            }
            configs {
                sets,
                items,
                keys_and_values,
                keys_are_unique_within_their_set,
                items_live_under_their_parent,
                every_project_has_defaults,
                what_is_used_stays,
            }
            secrets {
                values_are_shown_to_those_who_ask_for_one,
                keys_are_environment_names,
                a_key_without_the_right_does_not_read_values,
                an_item_is_made_once,
            }
            restart {
                the_same_revision_is_deployed_once_more,
            }
            rollback {
                an_earlier_revision_comes_back,
                values_come_back_too,
                how_it_is_asked_for,
            }
        }
    };
}
