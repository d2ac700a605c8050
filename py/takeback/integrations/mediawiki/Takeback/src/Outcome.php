<?php

declare(strict_types=1);

namespace MediaWiki\Extension\Takeback;

/** What becomes of an upload. */
enum Outcome
{
    case Accept;
    /** Accept it, and have a person look at it. */
    case AcceptForReview;
    /** Accept it; nobody could decide, so a job asks again. */
    case AcceptForNow;
    /** Refuse it: it is listed. */
    case Block;
    /** Refuse it: it would need a review. */
    case Hold;
    /** Refuse it: nobody can decide now. */
    case Away;

    /** Returns the key of the message to the uploader, or '' if the upload is accepted. */
    public function refusal(): string
    {
        return match ($this) {
            self::Block, self::Hold => 'takeback-blocked', // one text, or uploaders could find out what nearly matches
            self::Away => 'takeback-away',
            default => '',
        };
    }
}
