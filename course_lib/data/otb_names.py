"""The sequences of the three OTB lists, and the special rules for some of them.

A sequence with two targets is listed twice: "Jogging.1" and "Jogging.2".
"""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


OTB2013 = _names(
    """Basketball Bolt Boy Car4 CarDark CarScale Coke Couple Crossing David David2 David3 Deer Dog1
    Doll Dudek FaceOcc1 FaceOcc2 Fish FleetFace Football Football1 Freeman1 Freeman3 Freeman4
    Girl Ironman Jogging.1 Jogging.2 Jumping Lemming Liquor Matrix Mhyang MotorRolling
    MountainBike Shaking Singer1 Singer2 Skating1 Skiing Soccer Subway Suv Sylvester Tiger1
    Tiger2 Trellis Walking Walking2 Woman"""
)

OTB50 = _names(
    """Basketball Biker Bird1 BlurBody BlurCar2 BlurFace BlurOwl Bolt Box Car1 Car4 CarDark CarScale
    ClifBar Couple Crowds David Deer Diving DragonBaby Dudek Football Freeman4 Girl Human3 Human4
    Human6 Human9 Ironman Jump Jumping Liquor Matrix MotorRolling Panda RedTeam Shaking Singer2
    Skating1 Skating2.1 Skating2.2 Skiing Soccer Surfer Sylvester Tiger2 Trellis Walking Walking2
    Woman"""
)

OTB100 = OTB50 + _names(
    """Bird2 BlurCar1 BlurCar3 BlurCar4 Board Bolt2 Boy Car2 Car24 Coke Coupon Crossing Dancer
    Dancer2 David2 David3 Dog Dog1 Doll FaceOcc1 FaceOcc2 Fish FleetFace Football1 Freeman1
    Freeman3 Girl2 Gym Human2 Human5 Human7 Human8 Jogging.1 Jogging.2 KiteSurf Lemming Man
    Mhyang MountainBike Rubik Singer1 Skater Skater2 Subway Suv Tiger1 Toy Trans Twinnings Vase"""
)

OTB_LISTS = {"otb2013": OTB2013, "otb50": OTB50, "otb100": OTB100}

# Numbers of the first and last image file that the annotation covers; the published folders hold
# more images.
FRAME_RANGES = {
    "David": (300, 770),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
    "Diving": (1, 215),
}

# Number of initial frames that the protocol leaves out of every score.
OMITTED_AT_START = {"Tiger1": 5}

TWO_TARGETS = ("Jogging", "Skating2")
