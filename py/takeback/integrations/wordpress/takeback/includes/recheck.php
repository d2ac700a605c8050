<?php

/** The job that checks attachments that nobody could check when they came. */

declare(strict_types=1);

namespace Takeback\WordPress;

defined('ABSPATH') || exit;

const RECHECK = 'takeback_recheck';
const RECHECK_SECONDS = 300;
/** Attachments in one run, and seconds after which it begins no other, as hosts end long requests. */
const RECHECK_MOST = 50;
const RECHECK_BUDGET_SECONDS = 20;
/** Attachments that cannot be checked before a run ends. */
const RECHECK_FAILURES = 3;
/** What the job removed last, for the settings page. */
const REMOVED = 'takeback_removed';
const REMOVED_MOST = 20;

/** Has the job run soon, if it does not anyway. */
function schedule_recheck(): void
{
    if (!wp_next_scheduled(RECHECK)) {
        wp_schedule_single_event(time() + RECHECK_SECONDS, RECHECK);
    }
}

/** Checks attachments that are marked, until some cannot be checked; comes again if any are left. */
function recheck(): void
{
    $end = time() + RECHECK_BUDGET_SECONDS;
    schedule_recheck(); // first, so that the next run comes even if the host ends this one
    $settings = Settings::read();
    $failures = 0;
    foreach (pending() as $id) {
        $failures += recheck_one($settings, $id) ? 0 : 1;
        if (time() >= $end || $failures >= RECHECK_FAILURES) {
            break;
        }
    }
    if (!pending(1)) {
        wp_clear_scheduled_hook(RECHECK);
    }
}

/**
 * Returns the ids of attachments that are marked as unchecked, in any order: one that can never be checked must not keep
 * others from it.
 *
 * @return list<int>
 */
function pending(int $most = RECHECK_MOST): array
{
    return get_posts([
        'post_type' => 'attachment', 'post_status' => ['inherit', 'private', 'trash'], 'fields' => 'ids', 'orderby' => 'rand',
        'numberposts' => $most, 'meta_key' => UNCHECKED, 'meta_value' => 'pending', 'suppress_filters' => true,
    ]);
}

/** Checks an attachment, and removes a blocked one. Returns whether the list could be asked. */
function recheck_one(Settings $settings, int $id): bool
{
    // The file as it was uploaded: WordPress shows a smaller one of a large picture.
    $path = wp_get_original_image_path($id) ?: (string) get_attached_file($id, true);
    if (!is_file($path) || !is_readable($path) || str_contains($path, '://')) {
        update_post_meta($id, UNCHECKED, 'no file');
        return true;
    }
    $post = get_post($id);
    $verdict = Verdict::ask($settings, $path, (string) get_post_mime_type($id), uploader((int) $post->post_author));
    match ($verdict->outcome) {
        Outcome::Unchecked, Outcome::Away => null,
        Outcome::Blocked => remove_blocked($id, wp_basename($path)),
        // It is in uploads/ already, so that a moderator decides, whatever is set for new ones.
        Outcome::Review, Outcome::Held => mark_for_review($id, $verdict->decision),
        Outcome::Store => null,
    };
    if (in_array($verdict->outcome, [Outcome::Unchecked, Outcome::Away], true)) {
        return false;
    }
    delete_post_meta($id, UNCHECKED);
    return true;
}

/** Deletes a blocked attachment with all its files: a file in the bin could still be opened by its address. */
function remove_blocked(int $id, string $name): void
{
    $author = (int) get_post_field('post_author', $id);
    wp_delete_attachment($id, true);
    $removed = [['time' => time(), 'name' => $name, 'author' => $author], ...(array) get_option(REMOVED, [])];
    update_option(REMOVED, array_slice($removed, 0, REMOVED_MOST), false);
}
