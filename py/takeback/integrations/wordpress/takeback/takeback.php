<?php

/**
 * Plugin Name: Takeback
 * Description: Refuses uploads of intimate pictures that young people have taken back, without anybody seeing the pictures.
 * Version: 0.2.0
 * Requires at least: 6.1
 * Requires PHP: 8.1
 * License: Apache-2.0
 * Text Domain: takeback
 */

declare(strict_types=1);

namespace Takeback\WordPress;

defined('ABSPATH') || exit;

// Another plugin may carry the same client.
if (!class_exists('TakebackGate', false)) {
    require_once __DIR__ . '/client/takeback.php';
}
foreach (['settings', 'verdict', 'uploads', 'attachments', 'recheck', 'page', 'library'] as $part) {
    require_once __DIR__ . "/includes/$part.php";
}

// Last, so that nothing changes the file after it was checked.
add_filter('wp_handle_upload_prefilter', check_arriving(...), PHP_INT_MAX);
add_filter('wp_handle_sideload_prefilter', check_arriving(...), PHP_INT_MAX);
add_filter('wp_upload_bits', check_bits(...), PHP_INT_MAX);
add_filter('wp_handle_upload', check_stored(...), PHP_INT_MIN);
add_filter('rest_request_after_callbacks', name_refusal(...));
add_action('add_attachment', mark_new(...));
add_action(RECHECK, recheck(...));

add_action('admin_init', register_page(...));
add_action('admin_menu', add_page(...));
add_action('admin_notices', say_not_set_up(...));
add_filter('plugin_action_links_' . plugin_basename(__FILE__), link_to_page(...));

add_action('admin_notices', say_waiting(...));
add_filter('manage_media_columns', add_column(...));
add_action('manage_media_custom_column', print_column(...), 10, 2);
add_action('restrict_manage_posts', print_filter(...));
add_action('pre_get_posts', apply_filter(...));
add_filter('media_row_actions', add_row_actions(...), 10, 2);
add_action('admin_post_takeback_release', release(...));
add_action('admin_post_takeback_refuse', refuse(...));

register_activation_hook(__FILE__, static function (): void {
    add_option(OPTION, [], '', 'no'); // not loaded with every page, as it may hold a key
    schedule_recheck(); // of what was left when it was deactivated
});
register_deactivation_hook(__FILE__, static function (): void {
    wp_clear_scheduled_hook(RECHECK);
});
