<?php

/** Says whether uploads can be checked with the wiki's settings: `php extensions/Takeback/maintenance/check.php`. */

declare(strict_types=1);

use MediaWiki\Extension\Takeback\Checker;
use MediaWiki\MediaWikiServices;

require_once (getenv('MW_INSTALL_PATH') ?: dirname(__DIR__, 3)) . '/maintenance/Maintenance.php';

/** Asks the sidecar or the look-up service whether it is ready. */
final class TakebackCheck extends Maintenance
{
    public function __construct()
    {
        parent::__construct();
        $this->addDescription('Says whether Takeback can check uploads with the settings of this wiki.');
        $this->requireExtension('Takeback');
    }

    /** @inheritDoc */
    public function execute()
    {
        $trouble = (new Checker(MediaWikiServices::getInstance()->getMainConfig()))->trouble();
        if ($trouble !== '') {
            $this->fatalError("Takeback cannot check uploads: $trouble");
        }
        $this->output("Takeback can check uploads.\n");
    }
}

$maintClass = TakebackCheck::class;
require_once RUN_MAINTENANCE_IF_MAIN;
