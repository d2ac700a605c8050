<?php

/** The media library (as a list): what waits for a moderator, and the moderator's two decisions. */

declare(strict_types=1);

namespace Takeback\WordPress;

use TakebackSettingsError;
use WP_Post;
use WP_Query;

defined('ABSPATH') || exit;

/** Who decides: not the author of an upload, but who may edit everybody's. */
const MODERATE = 'edit_others_posts';

/**
 * Adds the column.
 *
 * @param array<string, string> $columns
 * @return array<string, string>
 */
function add_column(array $columns): array
{
    return current_user_can(MODERATE) ? [...$columns, 'takeback' => __('Takeback', 'takeback')] : $columns;
}

/** Prints an attachment's state. */
function print_column(string $column, int $id): void
{
    if ($column !== 'takeback') {
        return;
    }
    $unchecked = get_post_meta($id, UNCHECKED, true);
    if (metadata_exists('post', $id, REVIEW)) {
        echo '<strong>', esc_html__('Waits for a review', 'takeback'), '</strong><br>', esc_html(implode('; ', decision_of($id)->notes));
    } elseif ($unchecked === 'pending') {
        echo esc_html__('Not checked yet', 'takeback');
    } elseif ($unchecked !== '') {
        echo esc_html__('Cannot be checked: its file is not on this server', 'takeback');
    }
}

/** Says on the dashboard and in the media library how many uploads wait: the library's grid does not show it. */
function say_waiting(): void
{
    if (!current_user_can(MODERATE) || !in_array(get_current_screen()?->id, ['dashboard', 'upload'], true)) {
        return;
    }
    $query = ['post_type' => 'attachment', 'post_status' => 'inherit', 'meta_key' => REVIEW, 'fields' => 'ids', 'posts_per_page' => 1];
    $count = (new WP_Query($query))->found_posts;
    if ($count > 0) {
        /* translators: %s: a number */
        $text = sprintf(_n('%s upload waits for a review.', '%s uploads wait for a review.', $count, 'takeback'), number_format_i18n($count));
        printf(
            '<div class="notice notice-info"><p>%s <a href="%s">%s</a></p></div>',
            esc_html($text),
            esc_url(admin_url('upload.php?mode=list&takeback=review')),
            esc_html__('Show them', 'takeback'),
        );
    }
}

/** Prints the filter above the list. */
function print_filter(string $type): void
{
    if ($type !== 'attachment' || !current_user_can(MODERATE)) {
        return;
    }
    echo '<label for="takeback-filter" class="screen-reader-text">', esc_html__('Filter by Takeback', 'takeback'), '</label>';
    echo '<select name="takeback" id="takeback-filter"><option value="">', esc_html__('Takeback: all', 'takeback'), '</option>';
    foreach (['review' => __('Waits for a review', 'takeback'), 'unchecked' => __('Not checked', 'takeback')] as $value => $text) {
        printf('<option value="%s"%s>%s</option>', esc_attr($value), selected(chosen_filter(), $value, false), esc_html($text));
    }
    echo '</select>';
}

function chosen_filter(): string
{
    $value = $_GET['takeback'] ?? '';
    return in_array($value, ['review', 'unchecked'], true) ? $value : '';
}

/** Applies the filter to the list. */
function apply_filter(WP_Query $query): void
{
    global $pagenow;
    if (is_admin() && $pagenow === 'upload.php' && $query->is_main_query() && chosen_filter() !== '' && current_user_can(MODERATE)) {
        $query->set('meta_query', [['key' => chosen_filter() === 'review' ? REVIEW : UNCHECKED, 'compare' => 'EXISTS']]);
    }
}

/**
 * Adds the two decisions to an attachment that waits.
 *
 * @param array<string, string> $actions
 * @return array<string, string>
 */
function add_row_actions(array $actions, WP_Post $post): array
{
    if (!current_user_can(MODERATE) || !metadata_exists('post', $post->ID, REVIEW)) {
        return $actions;
    }
    foreach (['release' => __('Release', 'takeback'), 'refuse' => __('Refuse and delete', 'takeback')] as $action => $text) {
        $address = wp_nonce_url(admin_url("admin-post.php?action=takeback_$action&id=$post->ID"), "takeback_$action" . $post->ID);
        $label = sprintf('%s: %s', $text, get_the_title($post));
        $actions["takeback_$action"] = sprintf('<a href="%s" aria-label="%s">%s</a>', esc_url($address), esc_attr($label), esc_html($text));
    }
    return $actions;
}

/** Takes the mark off an attachment: it is not a listed picture. */
function release(): never
{
    $id = decided('release', 'edit_post');
    feed_back($id, 'not_blocked');
    delete_post_meta($id, REVIEW);
    back_to_library();
}

/** Deletes an attachment: it is a listed picture. */
function refuse(): never
{
    $id = decided('refuse', 'delete_post');
    feed_back($id, 'blocked');
    wp_delete_attachment($id, true);
    back_to_library();
}

/** Returns the attachment that a moderator decides on. Ends the request if this is none, or not one's own decision. */
function decided(string $action, string $capability): int
{
    $id = absint($_GET['id'] ?? 0);
    check_admin_referer("takeback_$action$id");
    if (!current_user_can(MODERATE) || !current_user_can($capability, $id) || !metadata_exists('post', $id, REVIEW)) {
        wp_die(esc_html__('This upload does not wait for your decision.', 'takeback'), '', ['response' => 403]);
    }
    return $id;
}

function feed_back(int $id, string $verdict): void
{
    $settings = Settings::read();
    if ($settings->get('report') !== 'yes' || !$settings->isSetUp()) {
        return;
    }
    try {
        report($settings->open(PAGE_SECONDS), decision_of($id), $verdict, true);
    } catch (TakebackSettingsError) {
        return;
    }
}

function back_to_library(): never
{
    wp_safe_redirect(admin_url('upload.php?mode=list&takeback=review'));
    exit;
}
