<?php

/** Marks of attachments: waiting for a review, and not checked yet. */

declare(strict_types=1);

namespace Takeback\WordPress;

use TakebackDecision;

defined('ABSPATH') || exit;

/** Meta of an attachment that waits for a moderator; holds what feedback needs. */
const REVIEW = '_takeback_review';
/** Meta of an attachment that nobody has checked: `pending`, or `no file` if it is not on this server. */
const UNCHECKED = '_takeback_unchecked';

/** Marks a new attachment by the verdict on its file. One that took no known way is checked soon. */
function mark_new(int $id): void
{
    $path = (string) get_attached_file($id, true);
    $verdict = Verdict::known($path);
    match ($verdict?->outcome) {
        Outcome::Store => null,
        Outcome::Review => mark_for_review($id, $verdict->decision),
        default => mark_unchecked($id),
    };
}

/** Has a moderator look at an attachment. */
function mark_for_review(int $id, TakebackDecision $decision): void
{
    update_post_meta($id, REVIEW, ['id' => $decision->id, 'entries' => $decision->entries, 'notes' => $decision->notes]);
}

/** Has an attachment checked later. */
function mark_unchecked(int $id): void
{
    update_post_meta($id, UNCHECKED, 'pending');
    schedule_recheck();
}

/** Returns the decision that an attachment was marked for. */
function decision_of(int $id): TakebackDecision
{
    $meta = (array) get_post_meta($id, REVIEW, true);
    $texts = static fn (mixed $values): array => array_values(array_filter((array) $values, is_string(...)));
    $known = is_string($meta['id'] ?? null) ? $meta['id'] : '';
    return new TakebackDecision('review', $known, true, $texts($meta['notes'] ?? []), $texts($meta['entries'] ?? []));
}
