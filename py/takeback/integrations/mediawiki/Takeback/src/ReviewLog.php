<?php

declare(strict_types=1);

namespace MediaWiki\Extension\Takeback;

use ManualLogEntry;
use MediaWiki\Linker\LinkTarget;
use User;

/** The log at Special:Log/takeback, which users with the right `takeback-review` see; it names files, and no uploader. */
final class ReviewLog
{
    public const ACCOUNT = 'Takeback';

    /** Adds an entry: `review`, `later` or `removed`. It is not published to recent changes. */
    public static function add(string $action, LinkTarget $file): void
    {
        $entry = new ManualLogEntry('takeback', $action);
        $entry->setPerformer(self::account());
        $entry->setTarget($file);
        $entry->insert();
    }

    /** Returns the system account that acts for this extension; nobody can register or use its name. */
    public static function account(): User
    {
        return User::newSystemUser(self::ACCOUNT, ['steal' => true]);
    }
}
