<?php

/**
 * Runs calls of the client and prints what they return, as JSON, one a line. Arguments: the settings as JSON (`null` for
 * those of the environment), and the calls. Every notice, warning and deprecation ends it.
 */

declare(strict_types=1);

error_reporting(E_ALL);
ini_set('display_errors', 'stderr');
set_error_handler(static function (int $level, string $text, string $file, int $line): never {
    throw new ErrorException($text, 0, $level, $file, $line);
});

require getenv('TAKEBACK_PHP');

/** Returns what a call returns, or the error that it throws. */
function outcome(callable $call): mixed
{
    try {
        return $call();
    } catch (TakebackError $error) {
        return ['error' => $error::class, 'text' => $error->getMessage()];
    }
}

[, $settings, $calls] = $argv;
$settings = json_decode($settings, true, flags: JSON_THROW_ON_ERROR);
$gate = outcome(static fn () => $settings === null ? TakebackGate::fromEnvironment() : TakebackGate::open($settings));
$decision = null;
foreach (json_decode($calls, true, flags: JSON_THROW_ON_ERROR) as $call) {
    $name = array_shift($call);
    $told = match (true) {
        $name === 'read' => TakebackPicture::read(...$call),
        is_array($gate) => $gate,
        $name === 'check' => outcome(static fn () => $gate->check(...$call)),
        $name === 'feedback' => outcome(static fn () => $gate->feedback($decision, ...$call)),
        $name === 'ready' => outcome($gate->isReady(...)),
    };
    $decision = $told instanceof TakebackDecision ? $told : $decision;
    echo json_encode($told, JSON_THROW_ON_ERROR), "\n";
}
