<?php

declare(strict_types=1);

namespace Takeback\WordPress;

use TakebackDecision;
use TakebackError;
use TakebackGate;

defined('ABSPATH') || exit;

/** What happens to a file: it is stored (perhaps with a mark), or refused. */
enum Outcome: string
{
    case Store = 'store';
    case Review = 'review';
    case Unchecked = 'unchecked';
    case Blocked = 'blocked';
    case Held = 'held';
    case Away = 'cannot-check';

    public function isRefusal(): bool
    {
        return in_array($this, [self::Blocked, self::Held, self::Away], true);
    }

    /** Returns what the uploader reads. It is the same for a blocked and a held file: neither says what is on the list. */
    public function message(): string
    {
        return $this === self::Away
            ? __('Files cannot be checked at the moment, so this one was not stored. Please try again in a few minutes.', 'takeback')
            : __('This file cannot be posted here.', 'takeback');
    }
}

/** An outcome and the decision that it follows from. */
final class Verdict
{
    /** @var array<string, self> Verdicts of this request by the file's SHA-256: a file is checked once on its way. */
    private static array $known = [];

    private function __construct(public readonly Outcome $outcome, public readonly TakebackDecision $decision)
    {
    }

    /** Returns the verdict of this request on the file at `$path`, if there is one. */
    public static function known(string $path): ?self
    {
        return self::$known[self::hash($path)] ?? null;
    }

    /** Returns the verdict on the file at `$path`, which is asked for if need be. Never throws. */
    public static function on(string $path, string $type): self
    {
        return self::known($path) ?? self::keep(self::hash($path), self::ask(Settings::read(), $path, $type, uploader(get_current_user_id())));
    }

    /** Returns a fresh verdict. Never throws: what cannot be checked is held or marked, as it is set. */
    public static function ask(Settings $settings, string $path, string $type, string $uploader): self
    {
        if (!$settings->isSetUp()) {
            return new self(Outcome::Unchecked, new TakebackDecision('allow', isChecked: false));
        }
        try {
            $gate = $settings->open();
            $decision = $gate->check($path, $type, $uploader);
        } catch (TakebackError $error) { // a refused key, a malformed setting, a file that cannot be read
            $action = $settings->get('when_away') === 'allow' ? 'allow' : 'review';
            return self::of($settings, new TakebackDecision($action, isChecked: false, notes: [$error->getMessage()]));
        }
        if ($decision->action === 'block' && $settings->get('report') === 'yes') {
            report($gate, $decision, 'blocked');
        }
        return self::of($settings, $decision);
    }

    private static function of(Settings $settings, TakebackDecision $decision): self
    {
        return new self(match (true) {
            $decision->action === 'block' => Outcome::Blocked,
            // The client says `review` of what it could not ask about if that must not pass.
            !$decision->isChecked => $decision->action === 'allow' ? Outcome::Unchecked : Outcome::Away,
            $decision->action === 'review' => $settings->get('review') === 'mark' ? Outcome::Review : Outcome::Held,
            default => Outcome::Store,
        }, $decision);
    }

    private static function hash(string $path): string
    {
        return is_file($path) && is_readable($path) ? (string) hash_file('sha256', $path) : '';
    }

    private static function keep(string $hash, self $verdict): self
    {
        if ($hash !== '') {
            self::$known[$hash] = $verdict;
        }
        return $verdict;
    }
}

/** Returns a user's name for the gate, of which only a hash leaves the site. It is the same at every upload. */
function uploader(int $user): string
{
    return $user === 0 ? '' : 'wordpress ' . home_url() . " $user";
}

/** Sends feedback. It never stops an upload or a moderator: feedback that cannot be sent is dropped. */
function report(TakebackGate $gate, TakebackDecision $of, string $verdict, bool $confirmed = false): void
{
    try {
        $gate->feedback($of, $verdict, $confirmed);
    } catch (TakebackError) {
        return;
    }
}
