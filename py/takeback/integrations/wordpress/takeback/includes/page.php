<?php

/** Settings > Takeback. */

declare(strict_types=1);

namespace Takeback\WordPress;

use TakebackSettingsError;

defined('ABSPATH') || exit;

const PAGE = 'takeback';
const SECRETS = ['token' => 'sidecar', 'key' => 'lookup'];

/**
 * Returns the fields: section, label and help.
 *
 * @return array<string, array{string, string, string}>
 */
function fields(): array
{
    return [
        'sidecar' => [
            'connection',
            __('Address of the sidecar', 'takeback'),
            __('The better choice where you can run it: the list stays in a process of its own, and videos are read too.', 'takeback')
                . ' ' . __('Example: http://127.0.0.1:8080', 'takeback'),
        ],
        'token' => ['connection', __('Token of the sidecar', 'takeback'), __('Only if the sidecar has one.', 'takeback')],
        'lookup' => [
            'connection',
            __('Address of a look-up service', 'takeback'),
            __('For hosts that cannot run a sidecar. Fingerprints of pictures are sent, and never a picture.', 'takeback'),
        ],
        'key' => [
            'connection',
            __('Key of this site', 'takeback'),
            __('From the operator of the look-up service; it begins with tbl_.', 'takeback'),
        ],
        'review' => [
            'uploads',
            __('Uploads for review', 'takeback'),
            __('A person must decide on them. An accepted one waits in the media library (as a list), where an editor releases or deletes it.', 'takeback')
                . ' ' . __('Until then anybody who knows its address can open it.', 'takeback'),
        ],
        'when_away' => [
            'uploads',
            __('If nobody can decide', 'takeback'),
            __('An accepted file is checked as soon as that is possible, and deleted if it is listed.', 'takeback'),
        ],
        'unreadable' => [
            'uploads',
            __('Files that cannot be read', 'takeback'),
            __('Broken pictures and files that are too large; with a look-up service, all videos.', 'takeback'),
        ],
        'report' => [
            'uploads',
            __('Feedback to the registry', 'takeback'),
            __('Which uploads were refused, and what editors decided.', 'takeback')
                . ' ' . __('It names the entry of the list, and never the uploader or the file.', 'takeback'),
        ],
    ];
}

/**
 * Returns the texts of each setting's choices.
 *
 * @return array<string, array<string, string>>
 */
function choices(): array
{
    return [
        'review' => ['refuse' => __('Refuse them', 'takeback'), 'mark' => __('Accept them, marked', 'takeback')],
        'when_away' => ['hold' => __('Refuse uploads until then', 'takeback'), 'allow' => __('Accept and check them later', 'takeback')],
        'unreadable' => ['review' => __('As uploads for review', 'takeback'), 'allow' => __('Accept them', 'takeback')],
        'report' => ['no' => __('Send none', 'takeback'), 'yes' => __('Send refusals and decisions', 'takeback')],
    ];
}

function register_page(): void
{
    register_setting(PAGE, OPTION, ['type' => 'object', 'sanitize_callback' => sanitize(...), 'show_in_rest' => false, 'default' => []]);
    add_settings_section('connection', __('Whom to ask', 'takeback'), print_connection(...), PAGE);
    add_settings_section('uploads', __('What happens to uploads', 'takeback'), '__return_empty_string', PAGE);
    foreach (fields() as $name => [$section, $label, $help]) {
        $more = ['label_for' => "takeback-$name", 'name' => $name, 'help' => $help];
        add_settings_field("takeback-$name", $label, print_field(...), PAGE, $section, $more);
    }
}

function add_page(): void
{
    add_options_page(__('Takeback', 'takeback'), __('Takeback', 'takeback'), 'manage_options', PAGE, print_page(...));
}

/**
 * Adds the page to the plugin's line in the list of plugins.
 *
 * @param array<string, string> $links
 * @return array<string, string>
 */
function link_to_page(array $links): array
{
    $address = esc_url(admin_url('options-general.php?page=' . PAGE));
    return ['settings' => sprintf('<a href="%s">%s</a>', $address, esc_html__('Settings', 'takeback')), ...$links];
}

/** Says everywhere in the admin that uploads are not checked, until an address is set. */
function say_not_set_up(): void
{
    if (!current_user_can('manage_options') || Settings::read()->isSetUp() || get_current_screen()?->id === 'settings_page_' . PAGE) {
        return;
    }
    printf(
        '<div class="notice notice-warning"><p>%s <a href="%s">%s</a></p></div>',
        esc_html__('Takeback is not set up: uploads are not checked yet.', 'takeback'),
        esc_url(admin_url('options-general.php?page=' . PAGE)),
        esc_html__('Set it up', 'takeback'),
    );
}

/**
 * Returns what is stored of a form: what was stored before if a value cannot be used. An empty secret keeps the stored one,
 * but only for the address that it was given for: a new address must not get it.
 *
 * @return array<string, string>
 */
function sanitize(mixed $form): array
{
    $stored = Settings::stored();
    $values = $stored;
    foreach ([...Settings::CONNECTION, ...Settings::CHOICES] as $name => $_) {
        if (is_array($form) && is_string($form[$name] ?? null)) {
            $values[$name] = trim($form[$name]);
        }
    }
    foreach (SECRETS as $secret => $address) {
        $isSame = ($values[$address] ?? '') === ($stored[$address] ?? '');
        if (($values[$secret] ?? '') === '' && $isSame) {
            $values[$secret] = $stored[$secret] ?? '';
        }
        if (($values[$address] ?? '') === '') {
            $values[$secret] = '';
        }
    }
    foreach (Settings::CHOICES as $name => [, $allowed]) {
        $values[$name] = in_array($values[$name] ?? '', $allowed, true) ? $values[$name] : $allowed[0];
    }
    try {
        if (($values['sidecar'] ?? '') !== '' || ($values['lookup'] ?? '') !== '') {
            Settings::openBy($values);
        }
    } catch (TakebackSettingsError $error) {
        /* translators: %s: what is wrong with a value, in English */
        add_settings_error(OPTION, 'takeback', esc_html(sprintf(__('Nothing was saved: %s', 'takeback'), $error->getMessage())));
        return $stored;
    }
    return $values;
}

function print_page(): void
{
    if (!current_user_can('manage_options')) {
        return;
    }
    echo '<div class="wrap"><h1>', esc_html__('Takeback', 'takeback'), '</h1>';
    print_state(Settings::read());
    echo '<form action="options.php" method="post" autocomplete="off">';
    settings_fields(PAGE);
    do_settings_sections(PAGE);
    submit_button();
    echo '</form>';
    print_removed();
    echo '</div>';
}

/** Prints whether uploads can be checked, which it finds out now. */
function print_state(Settings $settings): void
{
    [$kind, $text] = state($settings);
    printf(
        '<div class="notice inline notice-%s" role="status"><p><strong>%s</strong> <a href="%s">%s</a></p></div>',
        esc_attr($kind),
        esc_html($text),
        esc_url(admin_url('options-general.php?page=' . PAGE)),
        esc_html__('Check the connection again', 'takeback'),
    );
}

/**
 * Returns the kind of notice and its text.
 *
 * @return array{string, string}
 */
function state(Settings $settings): array
{
    if (!$settings->isSetUp()) {
        return ['warning', __('Not set up: uploads are not checked yet. Give one of the two addresses.', 'takeback')];
    }
    try {
        $reason = $settings->open(PAGE_SECONDS)->isReady();
    } catch (TakebackSettingsError $error) {
        $reason = $error->getMessage();
    }
    if ($reason === '') {
        return ['success', __('Ready: uploads are checked.', 'takeback')];
    }
    $effect = $settings->get('when_away') === 'allow'
        ? __('Uploads are accepted, and checked later.', 'takeback')
        : __('Uploads are refused until then.', 'takeback');
    /* translators: 1: the reason, in English, 2: what happens to uploads */
    return ['error', sprintf(__('Not ready: %1$s. %2$s', 'takeback'), rtrim($reason, '.'), $effect)];
}

function print_connection(): void
{
    $text = Settings::connectsByConstants()
        ? __('wp-config.php says whom to ask, and these fields cannot be changed here.', 'takeback')
        : __('Give one of the two addresses. A key is safer in wp-config.php than in the database:', 'takeback')
            . ' ' . __('define TAKEBACK_SIDECAR and TAKEBACK_GATE_TOKEN, or TAKEBACK_LOOKUP and TAKEBACK_LOOKUP_KEY, there.', 'takeback');
    echo '<p>', esc_html($text), '</p>';
}

/**
 * Prints a field with its help. A secret is never printed.
 *
 * @param array<string, string> $field
 */
function print_field(array $field): void
{
    ['name' => $name, 'help' => $help] = $field;
    $settings = Settings::read();
    $isFixed = isset(Settings::CONNECTION[$name]) ? Settings::connectsByConstants() : defined(Settings::CHOICES[$name][0]);
    $common = sprintf(
        'id="takeback-%1$s" name="%2$s[%1$s]" aria-describedby="takeback-%1$s-help"%3$s',
        esc_attr($name),
        esc_attr(OPTION),
        $isFixed ? ' disabled' : '',
    );
    if (isset(Settings::CHOICES[$name])) {
        print_choice($common, choices()[$name], $settings->get($name));
    } elseif (isset(SECRETS[$name])) {
        $hint = $isFixed || $settings->get($name) === '' ? '' : __('stored; leave empty to keep it', 'takeback');
        printf('<input type="password" class="regular-text" autocomplete="new-password" value="" placeholder="%s" %s>', esc_attr($hint), $common);
    } else {
        printf('<input type="url" class="regular-text code" value="%s" %s>', esc_attr($settings->get($name)), $common);
    }
    $fixed = $isFixed ? __('Set in wp-config.php.', 'takeback') . ' ' : '';
    printf('<p class="description" id="takeback-%s-help">%s</p>', esc_attr($name), esc_html($fixed . $help));
}

/**
 * Prints a choice; `$attributes` are escaped.
 *
 * @param array<string, string> $texts
 */
function print_choice(string $attributes, array $texts, string $chosen): void
{
    echo '<select style="max-width: 100%" ', $attributes, '>';
    foreach ($texts as $value => $text) {
        printf('<option value="%s"%s>%s</option>', esc_attr($value), selected($chosen, $value, false), esc_html($text));
    }
    echo '</select>';
}

/** Prints what was deleted after it had been accepted, so that nobody wonders where it is. */
function print_removed(): void
{
    $removed = (array) get_option(REMOVED, []);
    if (!$removed) {
        return;
    }
    echo '<h2>', esc_html__('Deleted after a later check', 'takeback'), '</h2><ul class="ul-disc">';
    foreach ($removed as $one) {
        /* translators: 1: file name, 2: user, 3: date and time */
        $text = __('%1$s, uploaded by %2$s, deleted on %3$s', 'takeback');
        $user = get_userdata((int) ($one['author'] ?? 0));
        $date = wp_date(get_option('date_format') . ' ' . get_option('time_format'), (int) ($one['time'] ?? 0));
        echo '<li>', esc_html(sprintf($text, $one['name'] ?? '', $user ? $user->user_login : __('nobody', 'takeback'), $date)), '</li>';
    }
    echo '</ul>';
}
