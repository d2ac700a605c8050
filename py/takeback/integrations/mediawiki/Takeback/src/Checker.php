<?php

declare(strict_types=1);

namespace MediaWiki\Extension\Takeback;

use Config;
use TakebackDecision;
use TakebackError;
use TakebackGate;
use TakebackKeyRefused;
use TakebackSettingsError;

/** Asks about files by `$wgTakeback`, and applies the wiki's settings to the answer. */
final class Checker
{
    /** The settings that are the wiki's own; the others are the client's. */
    private const DEFAULTS = ['review' => 'refuse', 'report' => true];

    private ?TakebackGate $gate = null;
    private bool $acceptsReviews = false;
    private bool $reports = false;

    public function __construct(private readonly Config $config)
    {
    }

    /** Decides on the file at `$path`, and reports a listed one if that is set. Throws `SettingsProblem`. */
    public function check(string $path, string $mediaType = '', string $uploader = ''): Outcome
    {
        $gate = $this->gate();
        try {
            $decision = $gate->check($path, $mediaType, $uploader);
        } catch (TakebackKeyRefused $error) {
            throw new SettingsProblem($error->getMessage());
        } catch (TakebackError) {
            return Outcome::Away;
        }
        if ($decision->action === 'block') {
            $this->report($gate, $decision);
        }
        return $this->outcome($decision);
    }

    /** Returns '' if uploads can be checked, or why not. */
    public function trouble(): string
    {
        try {
            return $this->gate()->isReady();
        } catch (SettingsProblem $error) {
            return $error->getMessage();
        }
    }

    private function outcome(TakebackDecision $decision): Outcome
    {
        return match (true) {
            $decision->action === 'block' => Outcome::Block,
            !$decision->isChecked => $decision->action === 'allow' ? Outcome::AcceptForNow : Outcome::Away,
            $decision->action === 'allow' => Outcome::Accept,
            default => $this->acceptsReviews ? Outcome::AcceptForReview : Outcome::Hold,
        };
    }

    private function report(TakebackGate $gate, TakebackDecision $decision): void
    {
        try {
            if ($this->reports) {
                $gate->feedback($decision, 'blocked');
            }
        } catch (TakebackError) {
            // The upload is refused in any case; the registry counts one fewer.
        }
    }

    private function gate(): TakebackGate
    {
        return $this->gate ??= $this->open();
    }

    private function open(): TakebackGate
    {
        $this->load();
        $given = $this->config->get('Takeback');
        if (!is_array($given) || $given === []) {
            throw new SettingsProblem('$wgTakeback must be an array with the address of a sidecar or a look-up service');
        }
        $own = [...self::DEFAULTS, ...array_intersect_key($given, self::DEFAULTS)];
        if (!in_array($own['review'], ['refuse', 'accept'], true)) {
            throw new SettingsProblem('review must be one of refuse, accept');
        }
        if (!is_bool($own['report'])) {
            throw new SettingsProblem('report must be true or false');
        }
        $this->acceptsReviews = $own['review'] === 'accept';
        $this->reports = $own['report'];
        try {
            return TakebackGate::open(array_diff_key($given, self::DEFAULTS));
        } catch (TakebackSettingsError $error) {
            throw new SettingsProblem($error->getMessage());
        }
    }

    /** Loads the client, which may be in use by other code of the wiki already. */
    private function load(): void
    {
        if (class_exists(TakebackGate::class, false)) {
            return;
        }
        $given = $this->config->get('TakebackClient');
        $file = is_string($given) && $given !== '' ? $given : dirname(__DIR__) . '/takeback.php';
        if (!is_file($file)) {
            throw new SettingsProblem("$file does not exist: copy takeback.php there, or set \$wgTakebackClient");
        }
        require_once $file;
    }
}
