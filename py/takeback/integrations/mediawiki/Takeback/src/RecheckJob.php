<?php

declare(strict_types=1);

namespace MediaWiki\Extension\Takeback;

use File;
use GenericParameterJob;
use IJobSpecification;
use Job;
use JobSpecification;
use MediaWiki\MediaWikiServices;

/** Checks a stored file that nobody could decide on before, and removes it if it is listed. Tries until it is decided. */
final class RecheckJob extends Job implements GenericParameterJob
{
    private const TYPE = 'takebackRecheck';
    /** The queue's default, an hour, would leave a listed picture up that long after an outage. */
    private const RETRY_SECONDS = 600;
    /** At ten minutes each this is two years: MediaWiki's default, 3, would give up in an outage. */
    private const TRIES = 100_000;

    /** Sets how often and how long the job queue tries. Called when the extension is loaded. */
    public static function register(): void
    {
        global $wgJobTypeConf;
        $wgJobTypeConf[self::TYPE] = ($wgJobTypeConf[self::TYPE] ?? [])
            + ['claimTTL' => self::RETRY_SECONDS, 'maxTries' => self::TRIES] + $wgJobTypeConf['default'];
    }

    /** Returns the job for a file, which is found by its content: it may be renamed meanwhile. */
    public static function of(File $file): IJobSpecification
    {
        return new JobSpecification(self::TYPE, ['sha1' => $file->getSha1()], ['removeDuplicates' => true], $file->getTitle());
    }

    /** @param array<string, mixed> $params */
    public function __construct(array $params)
    {
        parent::__construct(self::TYPE, $params);
    }

    /** Returns whether the file is decided on, or gone. */
    public function run()
    {
        $services = MediaWikiServices::getInstance();
        $stored = new StoredCopies($services->getRepoGroup()->getLocalRepo(), $this->params['sha1']);
        $copy = $stored->any();
        if ($copy === null) {
            return true;
        }
        $path = $copy->getLocalRefPath();
        try {
            $outcome = is_string($path)
                ? (new Checker($services->getMainConfig()))->check($path, (string) $copy->getMimeType())
                : Outcome::Away;
        } catch (SettingsProblem $problem) {
            $this->setLastError($problem->getMessage());
            return false;
        }
        return $this->act($outcome, $stored);
    }

    /** Returns what logs name this job: neither the file nor its hash. */
    public function toString()
    {
        return self::TYPE;
    }

    private function act(Outcome $outcome, StoredCopies $stored): bool
    {
        switch ($outcome) {
            case Outcome::Accept:
                return true;
            case Outcome::AcceptForReview:
            case Outcome::Hold:
                ReviewLog::add('review', $stored->any()->getTitle());
                return true;
            case Outcome::Block:
                if ($stored->remove()) {
                    return true;
                }
                $this->setLastError('a listed file could not be removed');
                return false;
            default:
                $this->setLastError('nobody can decide now');
                return false;
        }
    }
}
