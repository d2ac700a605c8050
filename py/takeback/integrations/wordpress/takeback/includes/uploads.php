<?php

/** The ways that a file takes into uploads/. Each of them refuses before the file is there, or removes it. */

declare(strict_types=1);

namespace Takeback\WordPress;

use WP_Error;

defined('ABSPATH') || exit;

/** The last refusal of this request, for the REST API's answer. */
final class LastRefusal
{
    public static ?Outcome $outcome = null;
}

/**
 * Refuses a file of a form, of the REST API or of a plugin before it is moved.
 *
 * @param array<string, mixed> $file
 * @return array<string, mixed>
 */
function check_arriving(array $file): array
{
    $path = $file['tmp_name'] ?? '';
    if (!empty($file['error']) || !is_string($path) || !is_file($path)) {
        return $file; // refused already, or not arrived
    }
    // Web servers tell browsers the type by the name, whatever the uploading browser called it.
    $type = wp_check_filetype((string) ($file['name'] ?? ''))['type'] ?: (string) ($file['type'] ?? '');
    $verdict = Verdict::on($path, $type);
    return $verdict->outcome->isRefusal() ? [...$file, 'error' => refusal($verdict->outcome)] : $file;
}

/**
 * Refuses what XML-RPC, and plugins that hold a file in memory, are about to write.
 *
 * @param array<string, mixed>|string $upload
 * @return array<string, mixed>|string
 */
function check_bits(array|string $upload): array|string
{
    if (!is_array($upload) || !is_string($upload['bits'] ?? null) || $upload['bits'] === '') {
        return $upload;
    }
    $path = tempnam(get_temp_dir(), 'takeback');
    try {
        if ($path === false || file_put_contents($path, $upload['bits']) === false) {
            return refusal(Outcome::Away);
        }
        $outcome = Verdict::on($path, (string) wp_check_filetype((string) $upload['name'])['type'])->outcome;
        return $outcome->isRefusal() ? refusal($outcome) : $upload;
    } finally {
        if ($path !== false) {
            wp_delete_file($path);
        }
    }
}

/**
 * Checks a file that is in uploads/ already, if no other way has: plugins for avatars name hooks of their own. Removes what
 * it refuses.
 *
 * @param array<string, mixed> $upload
 * @return array<string, mixed>
 */
function check_stored(array $upload): array
{
    $path = $upload['file'] ?? '';
    if (!empty($upload['error']) || !is_string($path) || !is_file($path)) {
        return $upload;
    }
    $outcome = Verdict::on($path, (string) ($upload['type'] ?? ''))->outcome;
    if (!$outcome->isRefusal()) {
        return $upload;
    }
    wp_delete_file($path);
    return ['error' => refusal($outcome)];
}

/** Returns the message of a refusal, and remembers which one it was. */
function refusal(Outcome $outcome): string
{
    LastRefusal::$outcome = $outcome;
    return $outcome->message();
}

/** Gives a refused upload the status 422, or 503 if nobody could decide: WordPress says 500, which clients send again. */
function name_refusal(mixed $answer): mixed
{
    $outcome = LastRefusal::$outcome;
    if ($outcome === null || !$answer instanceof WP_Error || $answer->get_error_message() !== $outcome->message()) {
        return $answer;
    }
    LastRefusal::$outcome = null;
    return new WP_Error("takeback-$outcome->value", $outcome->message(), ['status' => $outcome === Outcome::Away ? 503 : 422]);
}
