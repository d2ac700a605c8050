<?php

/** Removes the settings, the marks and the job. Uploads stay. */

declare(strict_types=1);

defined('WP_UNINSTALL_PLUGIN') || exit;

delete_option('takeback_settings');
delete_option('takeback_removed');
delete_post_meta_by_key('_takeback_review');
delete_post_meta_by_key('_takeback_unchecked');
wp_clear_scheduled_hook('takeback_recheck');
