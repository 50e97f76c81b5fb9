//! Who works in a simulated call centre, and what its customers and queues are called.
//!
//! Not real: names are of no particular person, numbers and addresses are those reserved for examples. No
//! text here needs an escape in JSON.

use crate::runtime::Random;

/// One who answers.
#[derive(Debug)]
pub(super) struct Agent {
    /// Such as `u_1042`.
    pub(super) id: Box<str>,
    /// The members of the field group `agent`, as JSON, written once.
    pub(super) json: Box<str>,
    /// What the agent does.
    pub(super) duty: Duty,
    /// The activity that everybody sees.
    pub(super) activity: &'static Activity,
    /// Since when, milliseconds since the epoch.
    pub(super) activity_since_ms: i64,
    /// How often the agent has logged in.
    pub(super) sessions: u32,
    /// Since when the agent is logged in.
    pub(super) session_since_ms: i64,
}

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Not logged in.
    Off,
    /// Waiting for work.
    Ready,
    /// With a customer, or shown one.
    Busy,
    /// At lunch, in a meeting.
    Away,
}

/// What an agent says to be doing, in the customer's own words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Activity {
    pub(super) reference: &'static str,
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) category_type: &'static str,
    /// How long it lasts at least, and how much longer it may.
    pub(super) minutes: (u64, u64),
}

/// A queue of a call centre.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) reference: &'static str,
    pub(super) name: &'static str,
}

impl Agent {
    /// Makes the agent with this number, from 0.
    pub(super) fn new(number: u32, account: &str, random: &mut Random) -> Self {
        let first = pick(&FIRST_NAMES, random);
        let last = pick(&LAST_NAMES, random);
        let id = format!("u_{}", 1001 + u64::from(number));
        let login = first.login.get(..1).unwrap_or(first.login);
        let team = pick(&TEAMS, random);
        let (kind, profile, role) = if number % 10 == 9 {
            ("MANAGER", "supervision", "team_leader")
        } else {
            ("COLLABORATOR", *pick(&PROFILES, random), "advisor")
        };
        let json = format!(
            "\"id\":\"{id}\",\"login\":\"{login}.{}{number}@{account}.example\",\"firstName\":\"{}\",\"lastName\":\"{}\",\
             \"extension\":\"{}\",\"type\":\"{kind}\",\"licence\":\"SMART\",\"profileRef\":\"{profile}\",\
             \"roleRef\":\"{role}\",\"teamRefs\":[\"{team}\"]",
            last.login,
            first.name,
            last.name,
            2001 + u64::from(number)
        );
        Self {
            id: id.into(),
            json: json.into(),
            duty: Duty::Off,
            activity: &AVAILABLE,
            activity_since_ms: 0,
            sessions: 0,
            session_since_ms: 0,
        }
    }
}

/// Picks one of several.
pub(super) fn pick<'a, T>(several: &'a [T], random: &mut Random) -> &'a T {
    let index = usize::try_from(random.below(u64::try_from(several.len()).unwrap_or(0))).unwrap_or(0);
    several.get(index).expect("there is at least one, and the index is below their number")
}

/// A name, and how it is written in an address.
pub(super) struct Name {
    pub(super) name: &'static str,
    pub(super) login: &'static str,
}

const fn name(name: &'static str, login: &'static str) -> Name {
    Name { name, login }
}

const FIRST_NAMES: [Name; 16] = [
    name("Claire", "claire"),
    name("Hugo", "hugo"),
    name("Inès", "ines"),
    name("Marc", "marc"),
    name("Zoé", "zoe"),
    name("Paul", "paul"),
    name("Léa", "lea"),
    name("Karim", "karim"),
    name("Chloé", "chloe"),
    name("Antoine", "antoine"),
    name("Fatou", "fatou"),
    name("Julien", "julien"),
    name("Élise", "elise"),
    name("Thomas", "thomas"),
    name("Nadia", "nadia"),
    name("Rémi", "remi"),
];
pub(super) const LAST_NAMES: [Name; 16] = [
    name("Martin", "martin"),
    name("Petit", "petit"),
    name("Durand", "durand"),
    name("Moreau", "moreau"),
    name("Lefèvre", "lefevre"),
    name("Garcia", "garcia"),
    name("Roux", "roux"),
    name("Benali", "benali"),
    name("Fontaine", "fontaine"),
    name("Chevalier", "chevalier"),
    name("Diallo", "diallo"),
    name("Perrin", "perrin"),
    name("Müller", "muller"),
    name("Nguyen", "nguyen"),
    name("Gauthier", "gauthier"),
    name("Lopez", "lopez"),
];
const TEAMS: [&str; 4] = ["paris", "lyon", "nantes", "lille"];
const PROFILES: [&str; 3] = ["support_n1", "support_n2", "sales"];

pub(super) const AVAILABLE: Activity = Activity {
    reference: "available",
    name: "Disponible",
    category: "Production",
    category_type: "PROCESSING",
    minutes: (0, 0),
};
pub(super) const AWAY: [Activity; 5] = [
    Activity {
        reference: "lunch",
        name: "Pause déjeuner",
        category: "Pauses",
        category_type: "NON_PRODUCTIVE_UNAVAILABILITY",
        minutes: (35, 25),
    },
    Activity {
        reference: "break",
        name: "Pause courte",
        category: "Pauses",
        category_type: "NON_PRODUCTIVE_UNAVAILABILITY",
        minutes: (5, 10),
    },
    Activity {
        reference: "training",
        name: "Formation",
        category: "Hors production",
        category_type: "PRODUCTIVE_UNAVAILABILITY",
        minutes: (30, 60),
    },
    Activity {
        reference: "meeting",
        name: "Réunion d’équipe",
        category: "Hors production",
        category_type: "PRODUCTIVE_UNAVAILABILITY",
        minutes: (15, 30),
    },
    Activity {
        reference: "back_office",
        name: "Traitement des dossiers",
        category: "Back-office",
        category_type: "PRODUCTIVE_UNAVAILABILITY",
        minutes: (10, 30),
    },
];

pub(super) const QUEUES: [Queue; 5] = [
    Queue { reference: "q_billing", name: "Facturation" },
    Queue { reference: "q_tech", name: "Support technique" },
    Queue { reference: "q_sales", name: "Ventes et abonnements" },
    Queue { reference: "q_premium", name: "Clients premium" },
    Queue { reference: "q_overflow", name: "Débordement" },
];
/// Where calls go that a queue would not take.
pub(super) const OVERFLOW_QUEUE: usize = 4;

/// Reference and label of what an agent answers after an interaction.
pub(super) const QUALIFICATIONS: [(&str, &str); 6] = [
    ("ok_refund", "Remboursé"),
    ("ok_solved", "Résolu au premier contact"),
    ("callback", "À rappeler"),
    ("escalated", "Transmis au niveau 2"),
    ("info", "Demande d’information"),
    ("wrong_number", "Erreur de destinataire"),
];
pub(super) const COMMENTS: [&str; 4] = [
    "Client satisfait, dossier clos.",
    "Rappeler demain matin avant 10 h.",
    "Facture 2210 rectifiée, avoir émis.",
    "Matériel remplacé, suivi par courriel.",
];
pub(super) const DECLINE_REASONS: [&str; 3] = ["busy", "wrong_skill", "end_of_shift"];
pub(super) const CUSTOMER_WORDS: [&str; 6] = [
    "Bonjour, je n’arrive plus à me connecter à mon espace client.",
    "Ma facture de février me semble trop élevée, pouvez-vous vérifier ?",
    "Merci, c’est bien noté.",
    "Le technicien n’est pas passé ce matin.",
    "D’accord, j’attends votre retour.",
    "Est-il possible de changer la date de livraison ?",
];
pub(super) const AGENT_WORDS: [&str; 6] = [
    "Bonjour, je prends votre demande en charge.",
    "Je vérifie votre dossier, un instant s’il vous plaît.",
    "Un nouveau lien vient de vous être envoyé.",
    "Un avoir sera émis sous trois jours ouvrés.",
    "Je transmets à mon collègue du service technique.",
    "Avez-vous une autre question ?",
];
pub(super) const SUBJECTS: [&str; 5] = [
    "Facture 2210",
    "Changement d’adresse",
    "Résiliation de mon contrat",
    "Demande de devis",
    "Colis non reçu, commande 88412",
];
