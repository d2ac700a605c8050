<?php

declare(strict_types=1);

namespace Takeback\WordPress;

use TakebackGate;

defined('ABSPATH') || exit;

const OPTION = 'takeback_settings';
/** How long the settings page waits for an answer. */
const PAGE_SECONDS = 5;

/** The settings in force: constants of wp-config.php go before what the settings page stored. */
final class Settings
{
    /** Names in the option, and the constants that stand for them. */
    public const CONNECTION = [
        'sidecar' => 'TAKEBACK_SIDECAR', 'token' => 'TAKEBACK_GATE_TOKEN',
        'lookup' => 'TAKEBACK_LOOKUP', 'key' => 'TAKEBACK_LOOKUP_KEY',
    ];
    public const CHOICES = [
        'when_away' => ['TAKEBACK_WHEN_AWAY', ['hold', 'allow']],
        'review' => ['TAKEBACK_REVIEW', ['refuse', 'mark']],
        'unreadable' => ['TAKEBACK_UNREADABLE', ['review', 'allow']],
        'report' => ['TAKEBACK_REPORT', ['no', 'yes']],
    ];

    /** @param array<string, string> $values */
    private function __construct(private readonly array $values)
    {
    }

    /** Returns the settings in force. The first of a setting's choices is its default. */
    public static function read(): self
    {
        $stored = self::stored();
        $values = [];
        foreach (self::CONNECTION as $name => $constant) {
            $values[$name] = self::connectsByConstants() ? self::constant($constant) : $stored[$name] ?? '';
        }
        foreach (self::CHOICES as $name => [$constant, $choices]) {
            $given = defined($constant) ? self::constant($constant) : $stored[$name] ?? '';
            $values[$name] = in_array($given, $choices, true) ? $given : $choices[0];
        }
        return new self($values);
    }

    /**
     * Returns what the settings page stored.
     *
     * @return array<string, string>
     */
    public static function stored(): array
    {
        $stored = get_option(OPTION, []);
        return is_array($stored) ? array_filter($stored, is_string(...)) : [];
    }

    /**
     * Returns whether wp-config.php says whom to ask. It then says all of it: an address from the settings page must never
     * get a key from wp-config.php.
     */
    public static function connectsByConstants(): bool
    {
        return defined('TAKEBACK_SIDECAR') || defined('TAKEBACK_LOOKUP');
    }

    private static function constant(string $name): string
    {
        $value = defined($name) ? constant($name) : '';
        return is_bool($value) ? ($value ? 'yes' : 'no') : (is_string($value) ? $value : '');
    }

    public function get(string $name): string
    {
        return $this->values[$name];
    }

    /** Returns whether an address is set. Until then uploads pass, are marked, and are checked later. */
    public function isSetUp(): bool
    {
        return $this->get('sidecar') !== '' || $this->get('lookup') !== '';
    }

    /** Returns a gate by these settings. Throws `TakebackSettingsError`. */
    public function open(?int $seconds = null): TakebackGate
    {
        return self::openBy($this->values, $seconds);
    }

    /**
     * Returns a gate by values that need not be stored yet. Throws `TakebackSettingsError`.
     *
     * @param array<string, string> $values
     */
    public static function openBy(array $values, ?int $seconds = null): TakebackGate
    {
        $names = [...array_keys(self::CONNECTION), 'when_away', 'unreadable'];
        return TakebackGate::open([...array_intersect_key($values, array_flip($names)), 'timeout' => $seconds]);
    }
}
