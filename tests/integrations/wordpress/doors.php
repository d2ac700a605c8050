<?php

/** Two plugins that take files in their own way, and one that fetches them: installed by the tests. */

add_action('wp_ajax_avatar', static function (): void {
    wp_send_json(wp_handle_upload($_FILES['file'], ['action' => 'avatar', 'test_form' => false]));
});
add_action('wp_ajax_written', static function (): void {
    $path = wp_upload_dir()['path'] . '/written.jpg';
    move_uploaded_file($_FILES['file']['tmp_name'], $path);
    wp_send_json(['id' => wp_insert_attachment(['post_title' => 'written', 'post_mime_type' => 'image/jpeg'], $path)]);
});
add_action('wp_ajax_fetched', static function (): void {
    $path = wp_tempnam('fetched');
    copy($_FILES['file']['tmp_name'], $path);
    $id = media_handle_sideload(['name' => 'fetched.jpg', 'tmp_name' => $path], 0);
    wp_delete_file($path);
    wp_send_json(is_wp_error($id) ? ['error' => $id->get_error_message()] : ['id' => $id]);
});
