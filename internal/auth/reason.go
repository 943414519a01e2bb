package auth

// Reason says why a verdict was reached. Code is stable: it is what logs,
// metrics and `doorward explain` carry. Text is a sentence for a person.
type Reason struct {
	Code string
	Text string
}

// The reasons of every verdict. Pages, logs and commands use these words and no
// others.
var (
	Admitted     = Reason{"admitted", "The rule admits this account."}
	Public       = Reason{"public", "No login is needed here."}
	NotSignedIn  = Reason{"not_signed_in", "Nobody is signed in."}
	Preflight    = Reason{"preflight", "The browser asks whether a page of a listed origin may come in."}
	InvalidToken = Reason{"invalid_token", "The bearer token is not valid."}

	NoRule           = Reason{"no_rule", "No rule covers this address."}
	RuleDenies       = Reason{"rule_denies", "The rule lets nobody in."}
	EmailUnverified  = Reason{"email_unverified", "The account has no verified e-mail address, and one is needed here."}
	EmailNotAllowed  = Reason{"email_not_allowed", "The e-mail address of this account is not on the list."}
	GroupMissing     = Reason{"group_missing", "The account is in none of the groups that may enter."}
	ClaimMissing     = Reason{"claim_missing", "The account lacks an attribute that is needed here."}
	NetworkOutside   = Reason{"network_outside", "This page can be opened from certain networks only."}
	ConditionFailed  = Reason{"condition_failed", "The condition of the rule does not hold for this account."}
	ConditionError   = Reason{"condition_error", "The condition of the rule cannot be evaluated for this account."}
	Narrowed         = Reason{"narrowed", "The gateway lets only some of the admitted accounts in here."}
	PathUnreadable   = Reason{"path_unreadable", "The path of the address is malformed."}
	PathNotCanonical = Reason{"path_not_canonical", "The path of the address can be read in two ways."}
	IdentityTooLarge = Reason{"identity_too_large", "The account has more groups or longer names than fit into the headers of an answer."}

	LoginTooWeak  = Reason{"login_too_weak", "This page needs a stronger login than this session has."}
	LoginTooOld   = Reason{"login_too_old", "This page needs a more recent login than this session has."}
	ClaimsUnknown = Reason{"claims_unknown", "This page needs to know more about the account than this session does. Please sign in again."}
	OtherHost     = Reason{"api_key_host", "The API key is for other hosts."}
	OtherProvider = Reason{"other_provider", "This page needs a login at another provider than the one that you used."}

	UnknownHost      = Reason{"unknown_host", "This host belongs to none of the cookie domains and public URLs."}
	UntrustedPeer    = Reason{"untrusted_peer", "The question came from an address that is not a trusted proxy."}
	AmbiguousHeaders = Reason{"ambiguous_headers", "The question carries the headers of two kinds of gateways."}
	MissingHeaders   = Reason{"missing_headers", "The question lacks a header that says what is asked for."}
	MalformedHeaders = Reason{"malformed_headers", "A header that says what is asked for is repeated or malformed."}

	ProviderUnavailable = Reason{"provider_unavailable", "It is too long ago that the provider was asked about this account, and it cannot be asked at the moment."}

	StoreUnavailable = Reason{"store_unavailable", "The session store cannot be asked at the moment."}
)
